package job

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// An outcome is how a step ended. One of its fields is set.
type outcome struct {
	result   any
	err      error
	panicked *panicked
	slow     bool // it did not end in time, or only because its time was over
}

// await runs the step and waits for it until the margin before the invocation's
// deadline. A step that heeds its context ends then; one that does not is left
// behind and its job reported on all the same, since the step may be repeated
// at any time.
func (t *tick) await(ctx context.Context, step func(context.Context) (any, error)) outcome {
	cancel := context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-t.margin))
	}
	defer cancel()

	ended := make(chan outcome, 1)
	go func() {
		var out outcome
		returned := false
		defer func() {
			if !returned {
				out = outcome{panicked: caught(recover())}
			}
			ended <- out
		}()
		out.result, out.err = step(ctx)
		returned = true
	}()

	var out outcome
	select {
	case out = <-ended:
	case <-ctx.Done():
		grace := time.NewTimer(t.margin / 4)
		defer grace.Stop()
		select {
		case out = <-ended:
		case <-grace.C:
			return outcome{slow: true}
		}
	}
	if out.err != nil && ctx.Err() != nil {
		// Whatever the error says, the step may have had it from its context.
		t.log.Warn("the step was cut off", "cause", t.scrub(out.err.Error()))
		return outcome{slow: true}
	}
	return out
}

// panicked is a panic and where it happened. It holds no values of variables
// but the panic's own.
type panicked struct {
	value  string
	where  string   // the first frame that is not the runtime's
	frames []string // all of them
}

// caught describes the panic that the deferred caller recovered; with nil, the
// goroutine was ended.
func caught(value any) *panicked {
	p := &panicked{value: "its goroutine was ended", where: "a place unknown"}
	if value != nil {
		p.value = fmt.Sprint(value)
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	passed := false // the panic itself
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "runtime.gopanic" || f.Function == "runtime.Goexit" {
			passed, p.frames = true, nil
			continue
		}
		if !passed || strings.HasPrefix(f.Function, "runtime.") {
			continue
		}
		p.frames = append(p.frames, fmt.Sprintf("%s (%s:%d)", f.Function, short(f.File), f.Line))
	}
	if len(p.frames) > 0 {
		p.where = p.frames[0]
	}
	return p
}

// short is a file's name with its folder.
func short(file string) string {
	if slash := strings.LastIndexByte(file, '/'); slash > 0 {
		return file[strings.LastIndexByte(file[:slash], '/')+1:]
	}
	return file
}

func (p *panicked) verdict(t *tick) verdict {
	t.log.Error("the action panicked", "cause", t.scrub(p.value), "frames", p.frames)
	return failed("the action panicked: %s, in %s; this is a fault of the function; see its log, then retry the stage: what is already done is found and not done again", p.value, p.where)
}

// guarded keeps a panic in what the parameters' and the state's own methods do
// from ending the function.
func (t *tick) guarded(do func() (verdict, bool)) (v verdict, ok bool) {
	defer func() {
		if value := recover(); value != nil {
			v, ok = caught(value).verdict(t), false
		}
	}()
	return do()
}
