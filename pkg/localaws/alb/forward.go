package alb

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// forward is a compiled forward action.
type forward struct {
	groups     []*group
	deck       *deck // nil if all weights are 0
	stickiness time.Duration
}

func (p *Proxy) newForwardLocked(f Forward, groups map[*group]bool) (*forward, error) {
	compiled := &forward{stickiness: f.Stickiness}
	var weights []int
	for _, share := range f.TargetGroups {
		g, ok := p.groups[share.TargetGroup]
		if !ok {
			return nil, fmt.Errorf("target group %s is not known", share.TargetGroup)
		}
		if share.Weight < 0 || share.Weight > 999 {
			return nil, fmt.Errorf("target group %s: weight %d is not in 0-999", share.TargetGroup, share.Weight)
		}
		groups[g] = true
		compiled.groups = append(compiled.groups, g)
		weights = append(weights, share.Weight)
	}
	if len(compiled.groups) == 0 {
		return nil, errors.New("forward action has no target group")
	}
	compiled.deck = newDeck(weights)
	return compiled, nil
}

// deck deals out group numbers by weight: in each full round exactly as the
// weights say, in an order that no pattern of requests can fall in step with.
type deck struct {
	cards []uint8 // group numbers, shuffled
	seed  uint64
	dealt atomic.Uint64
}

// fullRound is the least size of a round, so that its order is long.
const fullRound = 1000

func newDeck(weights []int) *deck {
	total, divisor := 0, 0
	for _, weight := range weights {
		total += weight
		divisor = gcd(weight, divisor)
	}
	if total == 0 {
		return nil
	}
	copies := (fullRound*divisor + total - 1) / total
	d := &deck{seed: mathrand.Uint64()}
	for i, weight := range weights {
		d.cards = append(d.cards, slices.Repeat([]uint8{uint8(i)}, weight/divisor*copies)...)
	}
	mathrand.Shuffle(len(d.cards), func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	return d
}

// deal gives the next group's number. Each round begins at another card.
func (d *deck) deal() int {
	n := uint64(len(d.cards))
	i := d.dealt.Add(1) - 1
	return int(d.cards[(i%n+mix(d.seed+i/n)%n)%n])
}

// mix scatters neighbouring numbers (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// choose picks the group for a request: the one its cookie names, else by weight.
// It is nil if all weights are 0.
func (f *forward) choose(p *Proxy, r *http.Request) *group {
	if f.stickiness > 0 && len(f.groups) > 1 {
		if g := f.remembered(p, r); g != nil {
			return g
		}
	}
	if f.deck == nil {
		return nil
	}
	return f.groups[f.deck.deal()]
}

// Cookies that make a client keep its target group. The second is the first for
// requests from other sites.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/sticky-sessions.html
const (
	stickyCookie     = "AWSALBTG"
	stickyCookieCORS = "AWSALBTGCORS"
)

func (f *forward) remembered(p *Proxy, r *http.Request) *group {
	for _, name := range []string{stickyCookie, stickyCookieCORS} {
		cookie, err := r.Cookie(name)
		if err != nil {
			continue
		}
		id, ok := p.openCookie(cookie.Value)
		if !ok {
			continue
		}
		for _, g := range f.groups {
			if g.id == id {
				return g
			}
		}
	}
	return nil
}

// remember has the client keep the group, from now on.
func (f *forward) remember(p *Proxy, g *group, header http.Header) {
	if f.stickiness <= 0 || len(f.groups) < 2 {
		return
	}
	expires := p.config.Clock.Now().Add(f.stickiness)
	value := p.sealCookie(g.id, expires)
	plain := http.Cookie{Name: stickyCookie, Value: value, Path: "/", Expires: expires}
	cors := http.Cookie{Name: stickyCookieCORS, Value: value, Path: "/", Expires: expires, SameSite: http.SameSiteNoneMode, Secure: true}
	header.Add("Set-Cookie", plain.String())
	header.Add("Set-Cookie", cors.String())
}

func newCookieCipher() cipher.AEAD {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for keys of another length
	}
	sealed, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for blocks of another size
	}
	return sealed
}

// sealCookie makes a value that says nothing to the client and can't be forged.
func (p *Proxy) sealCookie(group string, expires time.Time) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(p.cookies.Seal(nil, nil, append(plain, group...), nil))
}

// openCookie reads the group from a value that is ours and has not expired.
func (p *Proxy) openCookie(value string) (group string, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return "", false
	}
	plain, err := p.cookies.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) < 8 {
		return "", false
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(plain)), 0)
	return string(plain[8:]), p.config.Clock.Now().Before(expires)
}
