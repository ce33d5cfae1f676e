package template

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
)

// cidr divides an address block into subnets.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-cidr.html
func (s *Scope) cidr(n *Node, path string) (any, error) {
	arguments := make([]string, len(n.Items))
	for i, node := range n.Items {
		v, err := s.evalText(node, item(path, i))
		if err != nil || is[Unknown](v) {
			return v, err
		}
		arguments[i] = v.(string)
	}
	block, err := netip.ParsePrefix(arguments[0])
	if err != nil {
		return nil, fault(n, path, "%q is not an address block", arguments[0])
	}
	count, err := strconv.Atoi(arguments[1])
	if err != nil || count < 1 || count > 256 {
		return nil, fault(n, path, "the count is %q, must be 1 to 256", arguments[1])
	}
	width := block.Addr().BitLen()
	hostBits := map[int]int{32: 8, 128: 64}[width]
	if len(arguments) == 3 {
		if hostBits, err = strconv.Atoi(arguments[2]); err != nil || hostBits < 1 || hostBits > width {
			return nil, fault(n, path, "the bits of a subnet are %q, must be 1 to %d", arguments[2], width)
		}
	}
	if free := width - block.Bits() - hostBits; free < 0 || free < bits.Len(uint(count-1)) {
		return nil, fault(n, path, "%s has no room for %d subnets of %d bits", block, count, hostBits)
	}
	subnets := make([]any, count)
	for i := range subnets {
		subnets[i] = netip.PrefixFrom(shifted(block.Masked().Addr(), uint64(i), hostBits), width-hostBits).String()
	}
	return subnets, nil
}

// shifted is the address that lies n blocks of 2^hostBits addresses further on.
func shifted(a netip.Addr, n uint64, hostBits int) netip.Addr {
	if a.Is4() {
		b := a.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n<<hostBits))
		return netip.AddrFrom4(b)
	}
	b := a.As16()
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	addHigh, addLow := n<<max(hostBits-64, 0), uint64(0)
	if hostBits < 64 {
		addHigh, addLow = n>>(64-hostBits), n<<hostBits
	}
	low, carry := bits.Add64(low, addLow, 0)
	high, _ = bits.Add64(high, addHigh, carry)
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	return netip.AddrFrom16(b)
}
