#!/usr/bin/env bash
# cyclonus reads two label selectors differently from Kubernetes, and mixes up ranges of ports.
#
# github.com/mattfenwick/cyclonus v0.5.6 against k8s.io/apimachinery v0.36.1, whose selectors
# Kubernetes uses. Seen on 2026-11-29: `NotIn` does not select a pod without the label, which
# Kubernetes' does; an empty value in `matchLabels` selects a pod without the label, which
# Kubernetes' does not. Policies that `BuildNetworkPolicies` simplifies, which cyclonus' commands do
# by default, allow other ports than they say: of two peers that share a list of three ranges, and
# have one more each, the first gets the second's instead of its own.
# tests/test_reach_truth.py therefore asks cyclonus with other selectors, which say the same, and
# without simplifying.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder" && rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'MOD'
module cyclonus-finding

go 1.26.0

require (
	github.com/mattfenwick/cyclonus v0.5.6
	k8s.io/api v0.36.1
	k8s.io/apimachinery v0.36.1
	k8s.io/client-go v0.36.1
)
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"

	"github.com/mattfenwick/cyclonus/pkg/kube"
	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const policy = `{
  "metadata": {"name": "ranges", "namespace": "here"},
  "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
    {"from": [{"podSelector": {"matchLabels": {"app": "a"}}}, {"podSelector": {"matchLabels": {"app": "b"}}}],
     "ports": [{"port": 1, "endPort": 2}, {"port": 11, "endPort": 12}, {"port": 21, "endPort": 22}]},
    {"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 31, "endPort": 32}]},
    {"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": 41, "endPort": 42}]}
  ]}
}`

func main() {
	for _, text := range []string{
		`{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}`,
		`{"matchLabels": {"app": ""}}`,
	} {
		var selector meta.LabelSelector
		must(json.Unmarshal([]byte(text), &selector))
		known, err := meta.LabelSelectorAsSelector(&selector)
		must(err)
		fmt.Printf("%s selects a pod without labels: Kubernetes %t, cyclonus %t\n",
			text, known.Matches(labels.Set{}), kube.IsLabelsMatchLabelSelector(nil, selector))
	}
	seen := map[string]bool{}
	for range 100 { // which peer comes first is by chance
		for _, simplified := range []bool{false, true} {
			var ranges networking.NetworkPolicy
			must(json.Unmarshal([]byte(policy), &ranges))
			known := matcher.BuildNetworkPolicies(simplified, []*networking.NetworkPolicy{&ranges})
			right := reaches(known, "a", 31) && !reaches(known, "a", 41) &&
				reaches(known, "b", 41) && !reaches(known, "b", 31)
			if !right {
				seen[fmt.Sprint(simplified)] = true
			}
		}
	}
	fmt.Printf("wrong ports: simplified %t, not simplified %t\n", seen["true"], seen["false"])
}

func reaches(known *matcher.Policy, app string, port int) bool {
	pod := func(app string) *matcher.TrafficPeer {
		return &matcher.TrafficPeer{IP: "10.0.0.1", Internal: &matcher.InternalPeer{
			Namespace: "here", PodLabels: map[string]string{"app": app},
		}}
	}
	return known.IsTrafficAllowed(&matcher.Traffic{
		Source: pod(app), Destination: pod("c"), ResolvedPort: port, Protocol: core.ProtocolTCP,
	}).IsAllowed()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN' && echo "Still so."
{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]} selects a pod without labels: Kubernetes true, cyclonus false
{"matchLabels": {"app": ""}} selects a pod without labels: Kubernetes false, cyclonus true
wrong ports: simplified true, not simplified false
SEEN
