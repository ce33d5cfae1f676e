package bluegreen_test

import (
	"errors"
	"testing"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
)

var ignoreSerde = cmpopts.IgnoreUnexported(elbtypes.Action{}, elbtypes.ForwardActionConfig{}, elbtypes.TargetGroupTuple{},
	elbtypes.TargetGroupStickinessConfig{}, elbtypes.AuthenticateOidcActionConfig{}, elbtypes.AuthenticateCognitoActionConfig{})

// guarded is a route that authenticates before it forwards, and is sticky.
func guarded() []elbtypes.Action {
	actions := append([]elbtypes.Action{
		{Type: elbtypes.ActionTypeEnumAuthenticateOidc, Order: ptr(int32(1)), AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{
			Issuer: ptr("https://issuer.example"), ClientId: ptr("client"), SessionTimeout: ptr(int64(3600)),
		}},
		{Type: elbtypes.ActionTypeEnumAuthenticateCognito, Order: ptr(int32(2)), AuthenticateCognitoConfig: &elbtypes.AuthenticateCognitoActionConfig{
			UserPoolClientId: ptr("pool-client"), Scope: ptr("openid"),
		}},
	}, fake.Forward(fake.GroupA, 100, fake.GroupB, 0)...)
	actions[2].Order = ptr(int32(3))
	actions[2].ForwardConfig.TargetGroupStickinessConfig = &elbtypes.TargetGroupStickinessConfig{Enabled: ptr(true), DurationSeconds: ptr(int32(600))}
	return actions
}

func TestPointing_ChangesOnlyTheForwardsGroups(t *testing.T) {
	t.Parallel()
	r := bluegreen.Route{Actions: guarded()}
	got := r.Pointing(bluegreen.Weight{TargetGroup: fake.GroupB, Weight: 100}, bluegreen.Weight{TargetGroup: fake.GroupA, Weight: 0})
	want := guarded()
	want[0].AuthenticateOidcConfig.UseExistingClientSecret = ptr(true) // the secret can't be read, so it can't be sent
	want[2].ForwardConfig.TargetGroups = fake.Forward(fake.GroupB, 100, fake.GroupA, 0)[0].ForwardConfig.TargetGroups
	if diff := cmp.Diff(want, got, ignoreSerde); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(guarded(), r.Actions, ignoreSerde); diff != "" {
		t.Errorf("the route itself was changed (-want +got):\n%s", diff)
	}
}

func TestPointing_ReplacesASingleGroup(t *testing.T) {
	t.Parallel()
	r := bluegreen.Route{Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: ptr(fake.GroupA)}}}
	got := r.Pointing(bluegreen.Weight{TargetGroup: fake.GroupB, Weight: 100})
	if got[0].TargetGroupArn != nil {
		t.Errorf("got TargetGroupArn %s beside a ForwardConfig, want none", *got[0].TargetGroupArn)
	}
	if r = (bluegreen.Route{Actions: got}); !r.PointsTo(fake.GroupB) || r.PointsTo(fake.GroupA) {
		t.Errorf("got weights %v, want all on hello-b", r.Weights())
	}
}

// toGreen shifts a world's production route as read before to hello-b.
func toGreen(t *testing.T, w *fake.World, r bluegreen.Route) (bluegreen.Route, error) {
	t.Helper()
	return r.Shift(t.Context(), w.ELB(), bluegreen.Weight{TargetGroup: fake.GroupB, Weight: 100}, bluegreen.Weight{TargetGroup: fake.GroupA})
}

func TestShift_WritesOnceAndReadsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*fake.World)
		write   string
	}{
		"a default action, through its listener": {func(*fake.World) {}, "ModifyListener"},
		"a rule": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse}}
			w.AddRule(fake.Listener80, rule10, "10", guarded())
		}, "ModifyRule"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			c.prepare(w)
			pair, _ := observe(t, w, params())
			w.Calls()
			for range 2 { // the second time with the same, now stale, reading
				after, err := toGreen(t, w, pair.Production)
				if err != nil {
					t.Fatalf("shift: %v", err)
				}
				if diff := cmp.Diff(map[string]int32{fake.GroupB: 100, fake.GroupA: 0}, after.Weights()); diff != "" {
					t.Errorf("weights (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff([]string{"DescribeRules", c.write, "DescribeRules", "DescribeRules"}, w.Calls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShift_RefusesAForeignEdit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*fake.World)
		want string
	}{
		"other weights": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 80, fake.GroupB, 20)
		},
			"default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: it now forwards to hello-a 80, hello-b 20"},
		"another group": {func(w *fake.World) { w.Rules[fake.Listener80][0].Actions = fake.Forward(groupC, 1) },
			"default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: it now forwards to other 1"},
		"an action before the forward": {func(w *fake.World) {
			w.Rules[fake.Listener80][0].Actions = append(guarded()[:1], fake.Forward(fake.GroupA, 100, fake.GroupB, 0)...)
		}, "default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: it now forwards to hello-a 100, hello-b 0"},
		"stickiness": {func(w *fake.World) { w.Rules[fake.Listener80][0].Actions = guarded()[2:] },
			"default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: it now forwards to hello-a 100, hello-b 0"},
		"no rule": {func(w *fake.World) { w.Rules[fake.Listener80] = nil },
			"default action of listener HTTP:80 was changed by someone else since it was read, so nothing was written: the rule is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			pair, _ := observe(t, w, params())
			w.Change(c.edit)
			w.Calls()
			_, err := toGreen(t, w, pair.Production)
			foreign, found := errors.AsType[*bluegreen.ForeignEditError](err)
			if !found || foreign.AfterWrite || err.Error() != c.want {
				t.Errorf("got error %v, want a foreign edit: %s", err, c.want)
			}
			if writes := w.Writes(); len(writes) > 0 {
				t.Errorf("got writes %q, want none", writes)
			}
		})
	}
}

func TestShift_TellsARaceLostAfterTheWrite(t *testing.T) {
	t.Parallel()
	w := fake.New()
	pair, _ := observe(t, w, params())
	w.After = func(operation string) error {
		if operation == "ModifyListener" {
			w.Change(func(w *fake.World) {
				w.Rules[fake.Listener80][0].Actions = fake.Forward(fake.GroupA, 50, fake.GroupB, 50)
			})
		}
		return nil
	}
	_, err := toGreen(t, w, pair.Production)
	if foreign, found := errors.AsType[*bluegreen.ForeignEditError](err); !found || !foreign.AfterWrite {
		t.Errorf("got error %v, want a foreign edit after the write", err)
	}
}

func TestShift_LeavesAWriteThatIsNotVisibleYetToTheNextTick(t *testing.T) {
	t.Parallel()
	w := fake.New()
	pair, _ := observe(t, w, params())
	before := w.Rules[fake.Listener80][0].Actions
	w.After = func(operation string) error {
		if operation == "ModifyListener" {
			w.Change(func(w *fake.World) { w.Rules[fake.Listener80][0].Actions = before })
		}
		return nil
	}
	after, err := toGreen(t, w, pair.Production)
	if err != nil || !after.PointsTo(fake.GroupA) {
		t.Errorf("got %v and error %v, want the route as it was and no error", after.Weights(), err)
	}
}
