package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// curl's exit codes.
// https://curl.se/libcurl/c/libcurl-errors.html
var curlCodes = []struct {
	err  error
	code int
}{{errNoHost, 6}, {errRefused, 7}, {errTimeout, 28}, {errBadURL, 3}}

func exitCode(err error) int {
	for _, known := range curlCodes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	return 56
}

// curl makes requests; see fetch for what it reaches. It knows the options that
// scripts on instances use, and %{http_code} of --write-out.
func (m *machine) curl(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "s silent=s S show-error=S f fail=f L location=L k insecure=k o: output=o: O remote-name=O X: request=X: "+
		"H: header=H: d: data=d: data-raw=d: w: write-out=w: i include=i I head=I m: max-time=m: connect-timeout: retry: retry-delay: "+
		"retry-connrefused retry-all-errors retry-max-time: A: user-agent=A: url: noproxy: compressed fail-with-body 4 6 v G get=G")
	if !ok {
		return 2
	}
	urls := append(o.Values("url"), o.Args...)
	if len(urls) == 0 {
		c.Fail("no URL specified!")
		return 2
	}
	t := &curling{machine: m, call: c, options: o}
	code := 0
	for i, address := range urls {
		if code = t.get(ctx, address, i); ctx.Err() != nil {
			return shell.Killed
		}
	}
	return code
}

type curling struct {
	machine *machine
	call    *shell.Call
	options tool.Options
}

func (t *curling) get(ctx context.Context, address string, index int) int {
	r, err := t.request(address)
	if err != nil {
		t.call.Fail("%v", err)
		return 2
	}
	answer, err := t.tries(ctx, r)
	for redirects := 0; err == nil && t.options.Has("L") && answer.status/100 == 3 && answer.header.Get("Location") != "" && redirects < 50; redirects++ {
		if r.url, err = join(r.url, answer.header.Get("Location")); err == nil {
			answer, err = t.tries(ctx, r)
		}
	}
	if err != nil {
		t.complain("(%d) %v", exitCode(err), err)
		t.writeOut(response{})
		return exitCode(err)
	}
	return t.deliver(answer, r.url, index)
}

func join(base, reference string) (string, error) {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("%w: %s", errBadURL, base)
	}
	next, err := u.Parse(reference)
	if err != nil {
		return "", fmt.Errorf("%w: %s", errBadURL, reference)
	}
	return next.String(), nil
}

func (t *curling) complain(format string, values ...any) {
	if !t.options.Has("s") || t.options.Has("S") {
		t.call.Fail(format, values...)
	}
}

func (t *curling) request(address string) (request, error) {
	o := t.options
	r := request{method: "GET", url: address, header: http.Header{"User-Agent": {"curl/8.11.1"}, "Accept": {"*/*"}}}
	r.body = strings.Join(o.Values("d"), "&")
	if file, isFile := strings.CutPrefix(r.body, "@"); isFile && len(o.Values("d")) == 1 {
		content, err := t.content(file)
		if err != nil {
			return r, err
		}
		r.body = content
	}
	switch {
	case o.Has("X"):
		r.method = o.Value("X")
	case o.Has("I"):
		r.method = "HEAD"
	case o.Has("d") && !o.Has("G"):
		r.method = "POST"
	}
	if o.Has("G") && r.body != "" {
		r.url, r.body = r.url+"?"+r.body, ""
	}
	if r.body != "" {
		r.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if o.Has("A") {
		r.header.Set("User-Agent", o.Value("A"))
	}
	for _, line := range o.Values("H") {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return r, fmt.Errorf("malformed header %q", line)
		}
		r.header.Set(name, strings.TrimSpace(value))
	}
	for _, limit := range []string{"connect-timeout", "m"} {
		if o.Has(limit) {
			seconds, err := strconv.ParseFloat(o.Value(limit), 64)
			if err != nil {
				return r, fmt.Errorf("expected a proper number after %s", limit)
			}
			r.timeout = time.Duration(seconds * float64(time.Second))
		}
	}
	return r, nil
}

func (t *curling) content(file string) (string, error) {
	if file == "-" {
		all, err := io.ReadAll(t.call.In())
		return string(all), err
	}
	all, err := t.call.Shell.Disk.ReadFile(t.call.Path(file))
	return strings.NewReplacer("\n", "", "\r", "").Replace(string(all)), err
}

// tries makes a request again as --retry says, with growing or given delays.
func (t *curling) tries(ctx context.Context, r request) (response, error) {
	o := t.options
	again, err := strconv.Atoi(cmpOr(o.Value("retry"), "0"))
	if err != nil {
		return response{}, fmt.Errorf("expected a proper number after retry")
	}
	delay := time.Second
	if o.Has("retry-delay") {
		if delay, err = duration(o.Value("retry-delay")); err != nil {
			return response{}, err
		}
	}
	for {
		answer, err := t.machine.fetch(ctx, t.call, r)
		if again == 0 || !t.transient(answer, err) || !sleep(ctx, t.machine.fleet.clock, delay) {
			return answer, err
		}
		again--
		if !o.Has("retry-delay") {
			delay *= 2
		}
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func (t *curling) transient(answer response, err error) bool {
	o := t.options
	switch {
	case errors.Is(err, errTimeout), err != nil && o.Has("retry-all-errors"):
		return true
	case errors.Is(err, errRefused):
		return o.Has("retry-connrefused")
	case err != nil:
		return false
	case answer.status >= 400 && o.Has("retry-all-errors"):
		return true
	}
	return slices.Contains([]int{408, 429, 500, 502, 503, 504}, answer.status)
}

// deliver writes the answer where it is to go.
func (t *curling) deliver(answer response, address string, index int) int {
	o := t.options
	code := 0
	if answer.status >= 400 && (o.Has("f") || o.Has("fail-with-body")) {
		t.complain("(22) The requested URL returned error: %d", answer.status)
		code = 22
	}
	if code == 0 || o.Has("fail-with-body") {
		if err := t.write(answer, address, index); err != nil {
			t.complain("(23) Failure writing output to destination: %s", shell.Why(err))
			code = 23
		}
	}
	t.writeOut(answer)
	return code
}

func (t *curling) write(answer response, address string, index int) error {
	o := t.options
	var out bytes.Buffer
	if o.Has("i") || o.Has("I") {
		fmt.Fprintf(&out, "%s %d \r\n", answer.proto, answer.status)
		for _, name := range slices.Sorted(maps.Keys(answer.header)) {
			for _, value := range answer.header[name] {
				fmt.Fprintf(&out, "%s: %s\r\n", name, value)
			}
		}
		out.WriteString("\r\n")
	}
	out.Write(answer.body)
	name := ""
	if files := o.Values("o"); index < len(files) {
		name = files[index]
	} else if o.Has("O") {
		name = path.Base(strings.SplitN(address, "?", 2)[0])
	}
	if name == "" || name == "-" {
		_, err := t.call.Stdout.Write(out.Bytes())
		return err
	}
	return t.call.Shell.Disk.WriteFile(t.call.Path(name), out.Bytes(), 0o644)
}

func (t *curling) writeOut(answer response) {
	if !t.options.Has("w") {
		return
	}
	code := fmt.Sprintf("%03d", answer.status)
	fmt.Fprint(t.call.Stdout, strings.NewReplacer(
		"%{http_code}", code, "%{response_code}", code, "%{size_download}", strconv.Itoa(len(answer.body)), `\n`, "\n", `\t`, "\t",
	).Replace(t.options.Value("w")))
}

// wget fetches files; its exit codes are 4 for the network and 8 for an error of
// the server.
func (m *machine) wget(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "q quiet=q O: output-document=O: P: directory-prefix=P: c continue=c t: tries=t: T: timeout=T: header: no-check-certificate no-verbose N n:")
	if !ok {
		return 2
	}
	if len(o.Args) == 0 || o.Has("n") && o.Value("n") != "v" {
		c.Fail("missing URL")
		return 1
	}
	for _, address := range o.Args {
		r := request{method: "GET", url: address, header: http.Header{"User-Agent": {"Wget/1.21.3"}}}
		for _, line := range o.Values("header") {
			name, value, _ := strings.Cut(line, ":")
			r.header.Set(name, strings.TrimSpace(value))
		}
		if code := m.wgetOne(ctx, c, o, r); code != 0 {
			return code
		}
	}
	return 0
}

func (m *machine) wgetOne(ctx context.Context, c *shell.Call, o tool.Options, r request) int {
	answer, err := m.fetch(ctx, c, r)
	if err != nil {
		c.Fail("unable to resolve or reach host address: %v", err)
		return 4
	}
	if answer.status >= 300 {
		c.Fail("ERROR %d: %s.", answer.status, http.StatusText(answer.status))
		return 8
	}
	name := o.Value("O")
	if name == "-" {
		if _, err := c.Stdout.Write(answer.body); err != nil {
			return 3
		}
		return 0
	}
	if name == "" {
		name = path.Join(o.Value("P"), path.Base(strings.SplitN(r.url, "?", 2)[0]))
	}
	if err := c.Shell.Disk.WriteFile(c.Path(name), answer.body, 0o644); err != nil {
		c.Fail("%s: %s", name, shell.Why(err))
		return 3
	}
	if !o.Has("q") {
		fmt.Fprintf(c.Stderr, "‘%s’ saved [%d]\n", name, len(answer.body))
	}
	return 0
}

// ec2Metadata tells what the instance's metadata says, by a token as IMDSv2 asks.
// https://docs.aws.amazon.com/linux/al2023/ug/ec2-utils.html
func (m *machine) ec2Metadata(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "i instance-id=i a ami-id=a t instance-type=t z availability-zone=z o local-ipv4=o h local-hostname=h R region=R q quiet=q")
	if !ok {
		return 1
	}
	token, err := m.fetch(ctx, c, request{
		method: "PUT", url: "http://169.254.169.254/latest/api/token", header: http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"60"}},
	})
	if err != nil || token.status != http.StatusOK {
		return c.Fail("could not get IMDSv2 token (%v, status %d)", err, token.status)
	}
	code := 0
	for _, item := range [][3]string{
		{"a", "ami-id", "ami-id"}, {"i", "instance-id", "instance-id"}, {"t", "instance-type", "instance-type"},
		{"h", "local-hostname", "local-hostname"}, {"o", "local-ipv4", "local-ipv4"},
		{"z", "placement", "placement/availability-zone"}, {"R", "region", "placement/region"},
	} {
		if !o.Has(item[0]) {
			continue
		}
		value := "not available"
		answer, err := m.fetch(ctx, c, request{
			method: "GET", url: "http://169.254.169.254/latest/meta-data/" + item[2], header: http.Header{"X-Aws-Ec2-Metadata-Token": {string(token.body)}},
		})
		if err == nil && answer.status == http.StatusOK {
			value = string(answer.body)
		} else {
			code = 1
		}
		if !o.Has("q") {
			value = item[1] + ": " + value
		}
		fmt.Fprintln(c.Stdout, value)
	}
	return code
}
