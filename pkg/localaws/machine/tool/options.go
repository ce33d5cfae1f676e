package tool

import (
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// Options are a command's arguments, sorted out.
type Options struct {
	set    map[string]bool
	values map[string][]string
	// Args are those that are no options.
	Args []string
}

// Has says whether the option was given.
func (o Options) Has(name string) bool { return o.set[name] }

// Value is what was last given for the option; empty if nothing.
func (o Options) Value(name string) string {
	if all := o.values[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// Values is all that was given for the option.
func (o Options) Values(name string) []string { return o.values[name] }

// Parse sorts a call's arguments out by a specification: words of one-letter and
// long options, with ":" after those that take a value, and "=" between an option
// and the one that it is another name of ("recursive=r"). "--" ends the options;
// a specification that begins with "+" has the first other argument end them too.
// An option that is not in it is told to standard error, and ok is false.
func Parse(c *shell.Call, specification string) (o Options, ok bool) {
	p := parser{call: c, known: map[string]option{}, out: Options{set: map[string]bool{}, values: map[string][]string{}}}
	words, stops := strings.CutPrefix(specification, "+")
	for word := range strings.FieldsSeq(words) {
		name, takes := strings.CutSuffix(word, ":")
		name, canonical, isAlias := strings.Cut(name, "=")
		if !isAlias {
			canonical = name
		}
		p.known[name] = option{canonical, takes}
	}
	p.rest = c.Args[1:]
	for len(p.rest) > 0 {
		arg := p.next()
		switch {
		case arg == "--":
			p.out.Args = append(p.out.Args, p.rest...)
			return p.out, true
		case strings.HasPrefix(arg, "--"):
			ok = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			ok = p.short(arg[1:])
		default:
			ok = true
			p.out.Args = append(p.out.Args, arg)
			if stops {
				p.out.Args = append(p.out.Args, p.rest...)
				return p.out, true
			}
		}
		if !ok {
			return Options{}, false
		}
	}
	return p.out, true
}

type option struct {
	name  string
	takes bool
}

type parser struct {
	call  *shell.Call
	known map[string]option
	rest  []string
	out   Options
}

func (p *parser) next() string {
	arg := p.rest[0]
	p.rest = p.rest[1:]
	return arg
}

func (p *parser) long(arg string) bool {
	name, value, given := strings.Cut(arg, "=")
	opt, known := p.known[name]
	if !known || len(name) < 2 || given && !opt.takes {
		p.call.Fail("unrecognized option '--%s'", arg)
		return false
	}
	return p.keep(opt, value, given, "--"+name)
}

func (p *parser) short(letters string) bool {
	for i := range letters {
		letter := letters[i : i+1]
		opt, known := p.known[letter]
		if !known {
			p.call.Fail("invalid option -- '%s'", letter)
			return false
		}
		if opt.takes {
			return p.keep(opt, letters[i+1:], i+1 < len(letters), "-"+letter)
		}
		p.out.set[opt.name] = true
	}
	return true
}

func (p *parser) keep(opt option, value string, given bool, shown string) bool {
	p.out.set[opt.name] = true
	if !opt.takes {
		return true
	}
	if !given {
		if len(p.rest) == 0 {
			p.call.Fail("option '%s' requires an argument", shown)
			return false
		}
		value = p.next()
	}
	p.out.values[opt.name] = append(p.out.values[opt.name], value)
	return true
}
