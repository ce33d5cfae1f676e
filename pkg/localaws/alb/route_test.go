package alb

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func fixed(body string) Action {
	return Action{FixedResponse: &FixedResponse{StatusCode: 200, ContentType: "text/plain", Body: body}}
}

func TestRules_Conditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	for _, c := range []struct {
		name      string
		condition Condition
		path      string
		method    string
		header    http.Header
		host      string
		want      bool
	}{
		{"a path matches as a whole", Condition{Field: PathPattern, Values: []string{"/api/*"}}, "/api/pets/1", "", nil, "", true},
		{"a path pattern without wildcard does not match below", Condition{Field: PathPattern, Values: []string{"/api"}}, "/api/", "", nil, "", false},
		{"a path is case-sensitive", Condition{Field: PathPattern, Values: []string{"/API/*"}}, "/api/pets", "", nil, "", false},
		{"a path's query is not part of it", Condition{Field: PathPattern, Values: []string{"/a"}}, "/a?b=c", "", nil, "", true},
		{"a path's ? is one character", Condition{Field: PathPattern, Values: []string{"/v?/x"}}, "/v2/x", "", nil, "", true},
		{"a path's ? is not none", Condition{Field: PathPattern, Values: []string{"/v?/x"}}, "/v/x", "", nil, "", false},
		{"one value of several is enough", Condition{Field: PathPattern, Values: []string{"/a", "/b"}}, "/b", "", nil, "", true},
		{"an escaped path is matched as it came", Condition{Field: PathPattern, Values: []string{"/a/b"}}, "/a%2Fb", "", nil, "", false},
		{"a host ignores case", Condition{Field: HostHeader, Values: []string{"*.Example.com"}}, "/", "", nil, "WWW.example.COM", true},
		{"a host's port is not part of it", Condition{Field: HostHeader, Values: []string{"example.com"}}, "/", "", nil, "example.com:8080", true},
		{"a host without a subdomain does not match *.", Condition{Field: HostHeader, Values: []string{"*.example.com"}}, "/", "", nil, "example.com", false},
		{"a header ignores case", Condition{Field: HTTPHeader, HeaderName: "user-AGENT", Values: []string{"*CHROME*"}}, "/", "", http.Header{"User-Agent": {"a Chrome/1"}}, "", true},
		{"a header's second value counts", Condition{Field: HTTPHeader, HeaderName: "X-Side", Values: []string{"green"}}, "/", "", http.Header{"X-Side": {"blue", "green"}}, "", true},
		{"a header that is not there", Condition{Field: HTTPHeader, HeaderName: "X-Side", Values: []string{"*"}}, "/", "", nil, "", false},
		{"a method is exact", Condition{Field: HTTPRequestMethod, Values: []string{"PUT", "DELETE"}}, "/", "DELETE", nil, "", true},
		{"a method has no wildcards", Condition{Field: HTTPRequestMethod, Values: []string{"*"}}, "/", "GET", nil, "", false},
		{"a query pair ignores case", Condition{Field: QueryString, Query: []QueryPair{{"Version", "v?"}}}, "/?a=b&version=V2", "", nil, "", true},
		{"a query value with any key", Condition{Field: QueryString, Query: []QueryPair{{"", "*green*"}}}, "/?x=evergreen", "", nil, "", true},
		{"a query pair is one pair", Condition{Field: QueryString, Query: []QueryPair{{"a", "2"}}}, "/?a=1&b=2", "", nil, "", false},
		{"a query's wildcard can be escaped", Condition{Field: QueryString, Query: []QueryPair{{"a", `\*`}}}, "/?a=x", "", nil, "", false},
		{"an escaped wildcard matches itself", Condition{Field: QueryString, Query: []QueryPair{{"a", `\*`}}}, "/?a=*", "", nil, "", true},
		{"no query has no pair", Condition{Field: QueryString, Query: []QueryPair{{"*", "*"}}}, "/", "", nil, "", false},
		{"the client's address in a block", Condition{Field: SourceIP, Values: []string{"10.0.0.0/8", "127.0.0.0/8"}}, "/", "", nil, "", true},
		{"a forwarded address is not the client's", Condition{Field: SourceIP, Values: []string{"10.0.0.0/8"}}, "/", "", http.Header{"X-Forwarded-For": {"10.0.0.1"}}, "", false},
	} {
		w.rules(Rule{Conditions: []Condition{c.condition}, Action: fixed("match")}, Rule{Action: fixed("default")})
		r, err := http.NewRequest(c.method, w.url+c.path, nil)
		w.must(err)
		r.Host = c.host
		if c.header != nil {
			r.Header = c.header
		}
		_, got := read(t, w.do(r))
		if want := map[bool]string{true: "match", false: "default"}[c.want]; got != want {
			t.Errorf("%s: got the %s rule, want the %s one", c.name, got, want)
		}
	}
}

func TestRules_ApplyInTheOrderOfPriority(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	at := func(priority int, path string) Rule {
		return Rule{
			ID: path, Priority: priority, Action: fixed(path),
			Conditions: []Condition{{Field: PathPattern, Values: []string{path}}, {Field: HTTPRequestMethod, Values: []string{"GET"}}},
		}
	}
	w.must(w.SetRules("http", []Rule{{Default: true, Action: fixed("default")}, at(20, "/a*"), at(10, "/ab*"), at(5, "/z")}))
	for path, want := range map[string]string{"/abc": "/ab*", "/acc": "/a*", "/b": "default"} {
		if _, got := w.get(path); got != want {
			t.Errorf("GET %s: got rule %s, want %s", path, got, want)
		}
	}
	response, err := w.client.Post(w.url+"/abc", "text/plain", strings.NewReader("x"))
	w.must(err)
	if _, got := read(t, response); got != "default" {
		t.Errorf("POST /abc: got rule %s, want default, for all conditions of a rule must hold", got)
	}
}

func TestSetRules_RefusesFaultyRulesAndKeepsTheOldOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.rules(Rule{Action: fixed("before")})
	d := Rule{Default: true, Action: fixed("default")}
	for name, rules := range map[string][]Rule{
		"no default rule":         {{Priority: 1, Action: fixed("x")}},
		"two default rules":       {d, d},
		"a priority twice":        {d, {Priority: 1, Action: fixed("x")}, {Priority: 1, Action: fixed("y")}},
		"no action":               {{Default: true}},
		"two actions":             {{Default: true, Action: Action{Redirect: &Redirect{}, FixedResponse: &FixedResponse{}}}},
		"an unknown group":        {{Default: true, Action: Action{Forward: &Forward{TargetGroups: []WeightedGroup{{"nowhere", 1}}}}}},
		"no group":                {{Default: true, Action: Action{Forward: &Forward{}}}},
		"an unknown field":        {d, {Priority: 1, Action: fixed("x"), Conditions: []Condition{{Field: "cookie"}}}},
		"a malformed block":       {d, {Priority: 1, Action: fixed("x"), Conditions: []Condition{{Field: SourceIP, Values: []string{"10.0.0.1"}}}}},
		"a condition for default": {{Default: true, Action: fixed("x"), Conditions: []Condition{{Field: PathPattern}}}},
	} {
		if err := w.SetRules("http", rules); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	if _, got := w.get("/"); got != "before" {
		t.Errorf("after refused rules: got %q, want the rules before", got)
	}
	if err := w.SetRules("nowhere", []Rule{d}); err == nil {
		t.Error("rules of a listener that is not open: got no error, want one")
	}
}

func TestPattern_MatchesAsTheRegularExpressionWould(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?")), 0, 12, -1).Draw(t, "pattern")
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?")), 0, 16, -1).Draw(t, "text")
		expression := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(glob) + "$")
		if got, want := newPattern(glob, false, false).match(text), expression.MatchString(text); got != want {
			t.Fatalf("pattern %q on %q: got %v, want %v", glob, text, got, want)
		}
	})
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	secure := w.listen(Listener{ID: "https", LoadBalancer: "lb", Port: 443, TLS: true})
	securePort := secure[strings.LastIndex(secure, ":"):]
	port := w.url[strings.LastIndex(w.url, ":"):]
	empty := ""
	for _, c := range []struct {
		name     string
		redirect Redirect
		want     string
	}{
		{"to HTTPS, at the real port of 443", Redirect{Protocol: "HTTPS", Port: "443", Host: "#{host}", Path: "/#{path}", StatusCode: 301}, "https://127.0.0.1" + securePort + "/a/b%20c?x=1&y"},
		{"to the real port by default", Redirect{Path: "/new/#{path}", StatusCode: 302}, "http://127.0.0.1" + port + "/new/a/b%20c?x=1&y"},
		{"to another host, port and query", Redirect{Host: "other.example", Port: "8443", Query: new("old=#{query}"), StatusCode: 302}, "http://other.example:8443/a/b%20c?old=x=1&y"},
		{"without the query", Redirect{Host: "#{host}.x", Query: &empty, StatusCode: 302}, "http://127.0.0.1.x" + port + "/a/b%20c"},
	} {
		w.rules(Rule{Action: Action{Redirect: &c.redirect}})
		response, err := w.client.Get(w.url + "/a/b%20c?x=1&y")
		w.must(err)
		status, _ := read(t, response)
		if got := response.Header.Get("Location"); got != c.want || status != c.redirect.StatusCode {
			t.Errorf("%s: got %d %s, want %d %s", c.name, status, got, c.redirect.StatusCode, c.want)
		}
	}
}

func TestFixedResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.rules(Rule{Action: Action{FixedResponse: &FixedResponse{StatusCode: 418, ContentType: "application/json", Body: `{"a":1}`}}})
	response, err := w.client.Get(w.url)
	w.must(err)
	status, body := read(t, response)
	if got := response.Header.Get("Content-Type"); status != 418 || body != `{"a":1}` || got != "application/json" {
		t.Errorf("got %d %s %s, want 418 application/json and the rule's body", status, got, body)
	}
}
