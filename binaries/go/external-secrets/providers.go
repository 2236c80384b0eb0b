// Package register takes the place of the operator's package of that name, which brings in the
// clients of three dozen secret stores: OpenBao's is enough here, and the operator builds in a
// fraction of the time.
package register

import _ "github.com/external-secrets/external-secrets/pkg/provider/vault"
