package workload

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Host ports come from below the ranges that Linux and macOS take the ports of
// outgoing connections from, so that no connection takes one between its choice
// and the moment the program listens.
const (
	firstPort = 20000
	portCount = 12000
)

// ports remembers which host ports it has given out.
type ports struct {
	mu   sync.Mutex
	used map[int]bool
}

// take chooses a free host port for each container port.
func (p *ports) take(containerPorts []int) (map[int]int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := map[int]int{}
	for _, port := range containerPorts {
		host, err := p.freeLocked()
		if err != nil {
			for _, host := range taken {
				delete(p.used, host)
			}
			return nil, fmt.Errorf("choose host port for container port %d: %w", port, err)
		}
		p.used[host] = true
		taken[port] = host
	}
	return taken, nil
}

func (p *ports) freeLocked() (int, error) {
	start := rand.IntN(portCount)
	for i := range portCount {
		port := firstPort + (start+i)%portCount
		if p.used[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // someone else's
		}
		return port, l.Close()
	}
	return 0, errors.New("none is free")
}

func (p *ports) giveBack(taken map[int]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.used, func(port int, _ bool) bool {
		for _, host := range taken {
			if host == port {
				return true
			}
		}
		return false
	})
}

// portVariables are the environment variables that tell a program its ports.
func portVariables(containerPorts []int, hosts map[int]int) map[string]string {
	env := map[string]string{}
	for i, port := range containerPorts {
		host := strconv.Itoa(hosts[port])
		env["PORT_"+strconv.Itoa(port)] = host
		if i == 0 {
			env["PORT"] = host
		}
	}
	return env
}
