package template

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A context says which functions and references an expression may use.
type context int

const (
	inProperty  context = iota // and in an output's value
	inName                     // of an export: nothing that a resource decides
	inCondition                // the condition itself
	inCompared                 // what Fn::Equals compares
)

// pseudoParameters that Ref and Fn::Sub know.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
var pseudoParameters = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition",
	"AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// value checks an expression.
func (b *builder) value(n *Node, path string, c context) {
	if function, argument, ok := n.Call(); ok {
		b.call(function, argument, n.Line, path, c)
		return
	}
	switch n.Kind {
	case List:
		for i, value := range n.Items {
			b.value(value, item(path, i), c)
		}
	case Dict:
		for _, p := range n.Pairs {
			if intrinsicName(p.Key) {
				b.Add(p.Line, path, "%s stands beside other keys; a call of a function has one key", p.Key)
			}
			b.value(p.Value, at(path, p.Key), c)
		}
	case Scalar:
		if n.Value == nil {
			b.Add(n.Line, path, "null values are not allowed in templates")
		}
		if strings.Contains(n.Text, "{{resolve:") {
			b.Add(n.Line, path, "dynamic references ({{resolve:...}}) are unknown to the embedded AWS")
		}
	}
}

// A signature is how a function is called.
type signature struct {
	check    func(b *builder, argument *Node, line int, path string, c context)
	contexts []context
}

func signatures() map[string]signature {
	property := []context{inProperty, inName}
	anywhere := []context{inProperty, inName, inCompared}
	condition := []context{inCondition}
	return map[string]signature{
		"Ref":             {(*builder).ref, anywhere},
		"Fn::GetAtt":      {(*builder).getAtt, property},
		"Fn::Sub":         {(*builder).sub, anywhere},
		"Fn::Join":        {(*builder).join, anywhere},
		"Fn::Select":      {(*builder).sel, anywhere},
		"Fn::Split":       {(*builder).split, anywhere},
		"Fn::FindInMap":   {(*builder).findInMap, anywhere},
		"Fn::If":          {(*builder).ifThenElse, property},
		"Fn::ImportValue": {(*builder).importValue, property},
		"Fn::GetAZs":      {(*builder).single, property},
		"Fn::Base64":      {(*builder).single, property},
		"Fn::Cidr":        {(*builder).cidr, property},
		"Fn::Equals":      {(*builder).equals, condition},
		"Fn::And":         {(*builder).combine, condition},
		"Fn::Or":          {(*builder).combine, condition},
		"Fn::Not":         {(*builder).not, condition},
	}
}

func (b *builder) call(function string, argument *Node, line int, path string, c context) {
	s, ok := signatures()[function]
	path = at(path, function)
	if !ok {
		b.Add(line, path, "unknown intrinsic function %s", function)
		return
	}
	if !slices.Contains(s.contexts, c) {
		b.Add(line, path, "%s is not allowed here", function)
		return
	}
	s.check(b, argument, line, path, c)
}

// arguments says whether a node is a list with as many items as wanted.
func (b *builder) arguments(n *Node, line int, path string, least, most int, want string) bool {
	if n.Kind != List || len(n.Items) < least || len(n.Items) > most {
		b.Add(line, path, "wants %s", want)
		return false
	}
	return true
}

func (b *builder) ref(n *Node, line int, path string, c context) {
	name, ok := n.IsString()
	if !ok || name == "" {
		b.Add(line, path, "wants a name, got %s", n.kind())
		return
	}
	b.reference(name, line, path, c)
}

// reference checks a name that Ref or Fn::Sub uses.
func (b *builder) reference(name string, line int, path string, c context) {
	switch {
	case strings.HasPrefix(name, "AWS::"):
		if !slices.Contains(pseudoParameters, name) {
			b.Add(line, path, "unknown pseudo parameter %s", name)
		}
	case b.parameters[name] != nil:
	case b.resources[name] == nil:
		b.Add(line, path, "unknown parameter or resource %s", name)
	case c != inProperty:
		b.Add(line, path, "must not depend on a resource, but names %s", name)
	}
}

func (b *builder) getAtt(n *Node, line int, path string, c context) {
	id, attribute, ok := getAttParts(n)
	if !ok {
		b.Add(line, path, "wants a resource and an attribute, like \"Name.Attribute\"")
		return
	}
	if function, argument, call := attribute.Call(); call {
		if function != "Ref" {
			b.Add(line, path, "an attribute's name may only be a string or a Ref")
			return
		}
		b.ref(argument, line, path, inName)
	}
	b.attribute(id, line, path, c)
}

// getAttParts splits Fn::GetAtt's argument.
func getAttParts(n *Node) (logicalID string, attribute *Node, ok bool) {
	if text, isText := n.IsString(); isText {
		id, attr, found := strings.Cut(text, ".")
		return id, String(n.Line, attr), found && id != "" && attr != ""
	}
	if n.Kind != List || len(n.Items) < 2 {
		return "", nil, false
	}
	id, ok := n.Items[0].IsString()
	if _, _, call := n.Items[1].Call(); call {
		return id, n.Items[1], ok && len(n.Items) == 2
	}
	// !GetAtt [A, B.C] and [A, B, C] mean the same.
	var parts []string
	for _, part := range n.Items[1:] {
		text, isText := part.IsString()
		ok = ok && isText && text != ""
		parts = append(parts, text)
	}
	return id, String(n.Line, strings.Join(parts, ".")), ok && id != ""
}

func (b *builder) attribute(id string, line int, path string, c context) {
	switch {
	case b.resources[id] == nil:
		b.Add(line, path, "unknown resource %s", id)
	case c != inProperty:
		b.Add(line, path, "must not depend on a resource, but names %s", id)
	}
}

// sub checks Fn::Sub.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-sub.html
func (b *builder) sub(n *Node, line int, path string, c context) {
	text, variables, ok := subParts(n)
	if !ok {
		b.Add(line, path, "wants a string, or a string and a map of variables")
		return
	}
	parts, err := splitSub(text)
	if err != nil {
		b.Add(line, path, "%v", err)
	}
	for _, p := range parts {
		switch id, _, isAttribute := strings.Cut(p.variable, "."); {
		case p.variable == "":
		case variables.Get(p.variable) != nil:
		case p.variable == "AWS::NoValue":
			b.Add(line, path, "AWS::NoValue has no value to put into a string")
		case isAttribute:
			b.attribute(id, line, path, c)
		default:
			b.reference(p.variable, line, path, c)
		}
	}
	if variables == nil {
		return
	}
	for _, v := range variables.Pairs {
		b.value(v.Value, at(path, v.Key), c)
	}
}

func subParts(n *Node) (text string, variables *Node, ok bool) {
	if text, ok := n.IsString(); ok {
		return text, nil, true
	}
	if n.Kind != List || len(n.Items) != 2 || n.Items[1].Kind != Dict {
		return "", nil, false
	}
	if _, _, call := n.Items[1].Call(); call {
		return "", nil, false
	}
	text, ok = n.Items[0].IsString()
	return text, n.Items[1], ok
}

func (b *builder) join(n *Node, line int, path string, c context) {
	if !b.arguments(n, line, path, 2, 2, "a delimiter and a list") {
		return
	}
	if _, ok := n.Items[0].IsString(); !ok {
		b.Add(line, path, "the delimiter is %s, not a string", n.Items[0].kind())
	}
	b.list(n.Items[1], item(path, 1), c)
}

// list checks an argument that is a list or a call that makes one.
func (b *builder) list(n *Node, path string, c context) {
	if _, _, call := n.Call(); !call && n.Kind != List {
		b.Add(n.Line, path, "is %s, not a list", n.kind())
		return
	}
	b.value(n, path, c)
}

func (b *builder) sel(n *Node, line int, path string, c context) {
	if b.arguments(n, line, path, 2, 2, "an index and a list") {
		b.value(n.Items[0], item(path, 0), c)
		b.list(n.Items[1], item(path, 1), c)
	}
}

func (b *builder) split(n *Node, line int, path string, c context) {
	if !b.arguments(n, line, path, 2, 2, "a delimiter and a string") {
		return
	}
	if delimiter, ok := n.Items[0].IsString(); !ok || delimiter == "" {
		b.Add(line, path, "the delimiter must be a string that is not empty")
	}
	b.value(n.Items[1], item(path, 1), c)
}

func (b *builder) findInMap(n *Node, line int, path string, c context) {
	if !b.arguments(n, line, path, 3, 3, "a map, a top level key and a second level key") {
		return
	}
	if c == inProperty {
		c = inName // the mapping is read before resources exist
	}
	for i, key := range n.Items {
		b.value(key, item(path, i), c)
	}
	keys := make([]string, 3)
	for i, key := range n.Items {
		text, ok := key.IsString()
		if !ok && (key.Kind != Scalar || key.Value == nil) {
			return // decided when the stack is made
		}
		if !ok {
			text = key.Text
		}
		keys[i] = text
		if !b.mapped3(keys[:i+1]) {
			b.Add(line, path, "the mapping %s does not exist", strings.Join(keys[:i+1], "."))
			return
		}
	}
}

// mapped3 says whether a mapping has a map, a top level key, a second level key.
func (b *builder) mapped3(keys []string) bool {
	tops, ok := b.t.mappings[keys[0]]
	if !ok || len(keys) == 1 {
		return ok
	}
	seconds, ok := tops[keys[1]]
	if !ok || len(keys) == 2 {
		return ok
	}
	_, ok = seconds[keys[2]]
	return ok
}

func (b *builder) ifThenElse(n *Node, line int, path string, c context) {
	if !b.arguments(n, line, path, 3, 3, "a condition's name and two values") {
		return
	}
	b.conditionName(n.Items[0], item(path, 0))
	b.value(n.Items[1], item(path, 1), c)
	b.value(n.Items[2], item(path, 2), c)
}

func (b *builder) importValue(n *Node, _ int, path string, _ context) {
	// An import must not depend on what this stack makes.
	b.value(n, path, inName)
}

func (b *builder) single(n *Node, line int, path string, c context) {
	if _, _, call := n.Call(); !call && (n.Kind != Scalar || n.Value == nil) {
		b.Add(line, path, "wants a string, got %s", n.kind())
		return
	}
	b.value(n, path, c)
}

func (b *builder) cidr(n *Node, line int, path string, c context) {
	if !b.arguments(n, line, path, 2, 3, "an address block, a count and the bits of each subnet") {
		return
	}
	for i, argument := range n.Items {
		b.value(argument, item(path, i), c)
	}
	if block, ok := n.Items[0].IsString(); ok {
		if _, err := netip.ParsePrefix(block); err != nil {
			b.Add(line, path, "%q is not an address block", block)
		}
	}
}

// conditionName checks the name of a condition that something uses.
func (b *builder) conditionName(n *Node, path string) string {
	name, ok := n.IsString()
	if !ok {
		b.Add(n.Line, path, "is %s, not a condition's name", n.kind())
		return ""
	}
	if b.conditions[name] == nil {
		b.Add(n.Line, path, "unknown condition %s", name)
	}
	return name
}

func (b *builder) conditionsSection(n *Node) {
	if !b.section(n, "Conditions", maxResources) {
		return
	}
	for _, p := range n.Pairs {
		b.condition(p.Value, at("Conditions", p.Key))
	}
	b.orderConditions(n)
}

// condition checks a condition: a condition function or {Condition: Name}.
func (b *builder) condition(n *Node, path string) {
	if name := namedCondition(n); name != nil {
		b.conditionName(name, at(path, "Condition"))
		return
	}
	if _, _, ok := n.Call(); !ok {
		b.Add(n.Line, path, "is %s, not a condition function", n.kind())
		return
	}
	b.value(n, path, inCondition)
}

func namedCondition(n *Node) *Node {
	if n.Kind == Dict && len(n.Pairs) == 1 {
		return n.Get("Condition")
	}
	return nil
}

func (b *builder) equals(n *Node, line int, path string, _ context) {
	if b.arguments(n, line, path, 2, 2, "two values") {
		b.value(n.Items[0], item(path, 0), inCompared)
		b.value(n.Items[1], item(path, 1), inCompared)
	}
}

func (b *builder) combine(n *Node, line int, path string, _ context) {
	if b.arguments(n, line, path, 2, 10, "a list of 2 to 10 conditions") {
		for i, c := range n.Items {
			b.condition(c, item(path, i))
		}
	}
}

func (b *builder) not(n *Node, line int, path string, _ context) {
	if b.arguments(n, line, path, 1, 1, "a list of one condition") {
		b.condition(n.Items[0], item(path, 0))
	}
}

// orderConditions puts conditions after those that they name.
func (b *builder) orderConditions(section *Node) {
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(name string, trail []string)
	visit = func(name string, trail []string) {
		n := b.conditions[name]
		if n == nil || state[name] == done {
			return
		}
		if state[name] == visiting {
			cycle := append(trail[slices.Index(trail, name):], name)
			b.Add(n.Line, at("Conditions", name), "circular dependency between conditions: %s", strings.Join(cycle, " -> "))
			return
		}
		state[name] = visiting
		for _, other := range namedConditions(n) {
			visit(other, append(slices.Clone(trail), name))
		}
		state[name] = done
		b.t.Conditions = append(b.t.Conditions, &Condition{Name: name, expr: n})
	}
	for _, p := range section.Pairs {
		visit(p.Key, nil)
	}
}

// namedConditions lists the conditions that a condition names.
func namedConditions(n *Node) []string {
	if name := namedCondition(n); name != nil {
		return []string{name.Text}
	}
	names := map[string]bool{}
	for _, child := range n.Items {
		for _, name := range namedConditions(child) {
			names[name] = true
		}
	}
	for _, p := range n.Pairs {
		for _, name := range namedConditions(p.Value) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
