// Answers questions about network policies with cyclonus, a second opinion on what `./sre reach`
// computes. Each line that comes in is a JSON object, a cluster and questions about it; for each a
// line goes out, a list of what is let through: out of the source, and into the target.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type cluster struct {
	Namespaces map[string]map[string]string `json:"namespaces"` // labels by name
	Pods       map[string]pod               `json:"pods"`
	Policies   []*networking.NetworkPolicy  `json:"policies"`
	Questions  []question                   `json:"questions"`
}

type pod struct {
	Namespace string               `json:"namespace"`
	Labels    map[string]string    `json:"labels"`
	Ports     []core.ContainerPort `json:"ports"`
	Addresses []string             `json:"addresses"`
}

// A question is about two ends: pods by their keys, or addresses outside the cluster.
type question struct {
	Source   string        `json:"source"`
	Target   string        `json:"target"`
	Port     int           `json:"port"`
	Protocol core.Protocol `json:"protocol"`
}

type answer struct {
	Egress  bool `json:"egress"`
	Ingress bool `json:"ingress"`
}

func main() {
	clusters, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	clusters.DisallowUnknownFields()
	for {
		var asked cluster
		if err := clusters.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(asked.answers()); err != nil {
			log.Fatal(err)
		}
	}
}

func (c cluster) answers() []answer {
	var policies []*networking.NetworkPolicy
	for _, policy := range c.Policies {
		policies = append(policies, spelledOut(policy)...)
	}
	// Not simplified: with three ranges of ports, what cyclonus simplifies lets other ports through.
	known := matcher.BuildNetworkPolicies(false, policies)
	found := []answer{}
	for _, asked := range c.Questions {
		// cyclonus knows one name of a port, and one address of each end. As rules only ever admit,
		// what one of them admits is admitted.
		var said answer
		for _, name := range c.Pods[asked.Target].namesOf(asked.Port, asked.Protocol) {
			for _, from := range c.peers(asked.Source) {
				for _, to := range c.peers(asked.Target) {
					result := known.IsTrafficAllowed(&matcher.Traffic{
						Source:           from,
						Destination:      to,
						ResolvedPort:     asked.Port,
						ResolvedPortName: name,
						Protocol:         asked.Protocol,
					})
					said.Egress = said.Egress || result.Egress.IsAllowed()
					said.Ingress = said.Ingress || result.Ingress.IsAllowed()
				}
			}
		}
		found = append(found, said)
	}
	return found
}

// peers returns one end at each of its addresses.
func (c cluster) peers(end string) []*matcher.TrafficPeer {
	found, isPod := c.Pods[end]
	if !isPod {
		return []*matcher.TrafficPeer{{IP: end}}
	}
	var peers []*matcher.TrafficPeer
	for _, address := range found.Addresses {
		peers = append(peers, &matcher.TrafficPeer{
			Internal: &matcher.InternalPeer{
				PodLabels:       found.Labels,
				NamespaceLabels: c.Namespaces[found.Namespace],
				Namespace:       found.Namespace,
			},
			IP: address,
		})
	}
	return peers
}

// namesOf returns what the pod's containers call a port, and "" for its number alone.
func (p pod) namesOf(number int, protocol core.Protocol) []string {
	names := []string{""}
	for _, port := range p.Ports {
		own := port.Protocol
		if own == "" {
			own = core.ProtocolTCP
		}
		if int(port.ContainerPort) == number && own == protocol && port.Name != "" {
			names = append(names, port.Name)
		}
	}
	return names
}

// spelledOut returns policies that say the same in words that cyclonus reads as Kubernetes does.
func spelledOut(policy *networking.NetworkPolicy) []*networking.NetworkPolicy {
	spec := policy.Spec
	if len(spec.PolicyTypes) == 0 { // cyclonus leaves this default to the API server
		spec.PolicyTypes = []networking.PolicyType{networking.PolicyTypeIngress}
		if len(spec.Egress) > 0 {
			spec.PolicyTypes = append(spec.PolicyTypes, networking.PolicyTypeEgress)
		}
	}
	ingress := []networking.NetworkPolicyIngressRule{}
	for _, rule := range spec.Ingress {
		rule.From = spelledOutPeers(rule.From)
		ingress = append(ingress, rule)
	}
	egress := []networking.NetworkPolicyEgressRule{}
	for _, rule := range spec.Egress {
		rule.To = spelledOutPeers(rule.To)
		egress = append(egress, rule)
	}
	spec.Ingress, spec.Egress = ingress, egress
	var found []*networking.NetworkPolicy
	for _, pods := range spelledOutSelectors(&spec.PodSelector) {
		one := *policy
		one.Spec = spec
		one.Spec.PodSelector = *pods
		found = append(found, &one)
	}
	return found
}

func spelledOutPeers(peers []networking.NetworkPolicyPeer) []networking.NetworkPolicyPeer {
	var found []networking.NetworkPolicyPeer
	for _, peer := range peers {
		for _, namespaces := range spelledOutSelectors(peer.NamespaceSelector) {
			for _, pods := range spelledOutSelectors(peer.PodSelector) {
				found = append(found, networking.NetworkPolicyPeer{
					PodSelector: pods, NamespaceSelector: namespaces, IPBlock: peer.IPBlock,
				})
			}
		}
	}
	return found
}

// spelledOutSelectors returns selectors that together select the same.
//
// In Kubernetes an empty value in matchLabels asks for a label with that value, and NotIn selects
// what lacks the label. In cyclonus the former selects what lacks the label, and the latter does not.
func spelledOutSelectors(selector *meta.LabelSelector) []*meta.LabelSelector {
	if selector == nil {
		return []*meta.LabelSelector{nil}
	}
	start := &meta.LabelSelector{MatchLabels: map[string]string{}}
	for key, value := range selector.MatchLabels {
		if value == "" {
			start.MatchExpressions = append(start.MatchExpressions, meta.LabelSelectorRequirement{
				Key: key, Operator: meta.LabelSelectorOpIn, Values: []string{""},
			})
		} else {
			start.MatchLabels[key] = value
		}
	}
	found := []*meta.LabelSelector{start}
	for _, expression := range selector.MatchExpressions {
		ways := []meta.LabelSelectorRequirement{expression}
		if expression.Operator == meta.LabelSelectorOpNotIn {
			ways = append(ways, meta.LabelSelectorRequirement{
				Key: expression.Key, Operator: meta.LabelSelectorOpDoesNotExist,
			})
		}
		var longer []*meta.LabelSelector
		for _, one := range found {
			for _, way := range ways {
				next := one.DeepCopy()
				next.MatchExpressions = append(next.MatchExpressions, way)
				longer = append(longer, next)
			}
		}
		found = longer
	}
	return found
}
