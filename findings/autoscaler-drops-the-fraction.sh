#!/usr/bin/env bash
# The autoscaler drops the fraction of a percentage before it compares it with its tolerance.
#
# k8s.io/kubernetes v1.36.1, pkg/controller/podautoscaler/metrics, the calculation of the
# HorizontalPodAutoscaler. Seen on 2026-11-29: pods that use 110.9 per cent of what they request
# count as 110, so with a target of 100 and the default tolerance of 0.1 no pod is added, although
# the measured ratio, 1.109, is beyond the tolerance. specs/autoscaling.py therefore works in whole
# per cent when it reports a target that the container's CPU limit puts out of reach.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

{
  printf 'module autoscaler\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.36.1\n'
  for name in api apiextensions-apiserver apimachinery apiserver cli-runtime client-go \
    cloud-provider cluster-bootstrap code-generator component-base component-helpers \
    controller-manager cri-api cri-client cri-streaming csi-translation-lib \
    dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator \
    kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils \
    pod-security-admission sample-apiserver streaming; do
    printf 'replace k8s.io/%s => k8s.io/%s v0.36.1\n' "$name" "$name"
  done
} >go.mod
cat >main.go <<'GO'
package main

import (
	"fmt"

	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

func main() {
	for _, used := range []int64{1099, 1100, 1109, 1110} {
		pods := metrics.PodMetricsInfo{"pod": {Value: used}}
		requests := map[string]int64{"pod": 1000}
		ratio, percent, _, err := metrics.GetResourceUtilizationRatio(pods, requests, 100)
		if err != nil {
			panic(err)
		}
		fmt.Printf("used %d of 1000: %d %%, ratio %.3f\n", used, percent, ratio)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN' && echo "Still so."
used 1099 of 1000: 109 %, ratio 1.090
used 1100 of 1000: 110 %, ratio 1.100
used 1109 of 1000: 110 %, ratio 1.100
used 1110 of 1000: 111 %, ratio 1.110
SEEN
