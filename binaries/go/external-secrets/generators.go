// Package register takes the place of the operator's package of that name: no stack uses generators,
// and they bring in the clients of three clouds.
package register
