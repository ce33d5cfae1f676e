package bluegreen

import "strings"

func isARN(s string) bool { return strings.HasPrefix(s, "arn:") }

// balancerOf derives the load balancer's ARN from a listener's
// (…:listener/app/NAME/LB/LISTENER) or a rule's
// (…:listener-rule/app/NAME/LB/LISTENER/RULE). "" when arn is none of these.
func balancerOf(kind, arn string) string {
	prefix, path, found := strings.Cut(arn, ":"+kind+"/app/")
	ids := strings.Split(path, "/")
	want := map[string]int{"listener": 3, "listener-rule": 4}[kind]
	if !found || !isARN(arn) || len(ids) != want {
		return ""
	}
	return prefix + ":loadbalancer/app/" + ids[0] + "/" + ids[1]
}

// listenerOf derives a listener's ARN from its rule's.
func listenerOf(rule string) string {
	prefix, path, _ := strings.Cut(rule, ":listener-rule/app/")
	ids := strings.Split(path, "/")
	if len(ids) != 4 {
		return ""
	}
	return prefix + ":listener/app/" + strings.Join(ids[:3], "/")
}

// serviceName is the name in a service's name or ARN
// (arn:…:service/NAME, arn:…:service/CLUSTER/NAME).
func serviceName(nameOrARN string) string {
	if !isARN(nameOrARN) {
		return nameOrARN
	}
	return nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
}

// GroupName is a target group's name by its ARN (…:targetgroup/NAME/ID).
func GroupName(arn string) string {
	_, path, found := strings.Cut(arn, ":targetgroup/")
	if !found {
		return arn
	}
	name, _, _ := strings.Cut(path, "/")
	return name
}
