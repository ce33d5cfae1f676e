package deploygreen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/release"
)

// readLimited reads a file of an input artifact, of at most limit bytes.
type readLimited func(ctx context.Context, artifact, path string, limit int64) ([]byte, error)

// looksPerTick is how many services of a set have their family's revisions read
// in a tick: reading, registering and reading back are ten calls for each, and a
// hundred services' would not fit a function's time.
const looksPerTick = 25

// stepSet moves all pairs of a release set forward, side by side.
func (a *Action) stepSet(ctx context.Context, j job.Job[Params], s State, read readLimited) (job.Result[State], error) {
	c := a.catalog()
	w, err := a.observeSet(ctx, c, j, s, read)
	if err != nil {
		return job.Result[State]{}, err
	}
	return a.move(ctx, c, w)
}

// observeSet reads all pairs. Everything wrong with them, and every image that
// is missing, comes as one ConfigurationError.
func (a *Action) observeSet(ctx context.Context, c *catalog, j job.Job[Params], s State, read readLimited) (World, error) {
	file, err := loadSet(ctx, j, read)
	if err != nil {
		return World{}, err
	}
	marks, err := unpackMarks(s.Set, len(file.Services))
	if err != nil {
		return World{}, job.Failed("%v; retry the stage: what is already done is found and not done again", err)
	}
	named, faults, err := findImages(ctx, j.Params.Images, file.Services, inputNames(j.Inputs), limited(read))
	if err != nil {
		return World{}, err
	}
	w := World{Execution: j.Params.Execution, Set: file.Set, Releases: make([]Release, len(file.Services))}
	reader := &sparing{ELB: a.elb, ECS: a.ecs, execution: w.Execution, follow: s.Follow}
	seen, err := bluegreen.ObserveSet(ctx, reader, reader, pairs(file, w.Execution), false)
	if err != nil {
		return World{}, err
	}
	looks := 0
	for i, o := range seen {
		service, r := file.Services[i], &w.Releases[i]
		*r = Release{
			Pair: o.Pair, Progress: marks[i].progress(o.Pair), Name: service.Name, Cluster: service.Cluster,
			MinimumCount: service.MinimumCount, Container: service.Container,
		}
		r.Image = named[i]
		if green, found := r.Idle(); found {
			r.Blind = !reader.asked[green.TargetGroup]
		}
		for _, fault := range o.Faults {
			faults = append(faults, r.prefix()+fault)
		}
		look := looks < looksPerTick
		if r.due(w.Execution) {
			looks++
		}
		found, err := c.observe(ctx, w.Execution, r, len(o.Faults) > 0, look, noImage)
		if err != nil {
			return World{}, fmt.Errorf("%s%w", r.prefix(), err)
		}
		for _, fault := range found {
			faults = append(faults, r.prefix()+fault)
		}
	}
	if len(faults) > 0 {
		return World{}, invalid(j.ID == j.Attempt, w, faults)
	}
	return w, nil
}

// noImage is for services whose image is known, or missed already.
func noImage(string) (image, fault string, err error) { return "", "", nil }

// loadSet reads cutover.yaml from the input artifacts.
func loadSet(ctx context.Context, j job.Job[Params], read readLimited) (*release.File, error) {
	path := j.Params.Release
	if len(j.Inputs) == 0 {
		return nil, job.ConfigurationError(fmt.Sprintf("release is %q, but the action has no input artifact to take it from", path))
	}
	for _, in := range j.Inputs {
		text, err := read(ctx, in.Name, path, release.MaxSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		file, err := release.Load(text)
		if faults, wrong := errors.AsType[release.FaultsError](err); wrong {
			lines := faults.Lines()
			for i := range lines {
				lines[i] = path + " " + lines[i]
			}
			return nil, job.ConfigurationError(lines...)
		}
		return file, err
	}
	return nil, job.ConfigurationError(fmt.Sprintf("no input artifact has the file %q (they are %s)", path, strings.Join(inputNames(j.Inputs), ", ")))
}

// pairs are the set's pairs as they are observed.
func pairs(file *release.File, execution string) []bluegreen.Params {
	params := make([]bluegreen.Params, len(file.Services))
	for i, s := range file.Services {
		params[i] = bluegreen.Params{
			Execution: execution, LoadBalancer: s.LoadBalancer, Cluster: s.Cluster, Services: s.Pair,
			ProductionListenerARN: s.ProductionListenerARN, ProductionRuleARN: s.ProductionRuleARN,
			TestListenerARN: s.TestListenerARN, TestRuleARN: s.TestRuleARN,
		}
	}
	return params
}

// findImages finds the image of each service in the first file that names images.
// faults tell every service that has none.
func findImages(ctx context.Context, path string, services []release.Service, artifacts []string, read readFile) (named, faults []string, err error) {
	named = make([]string, len(services))
	names := []string{"images.json"}
	switch {
	case path != "":
		names = []string{path}
	case len(services) == 1:
		names = append(names, "imageDetail.json", "imagedefinitions.json")
	}
	body, from, fault, err := firstFile(ctx, artifacts, names, read)
	switch {
	case err != nil:
		return nil, nil, err
	case fault != "":
		return named, []string{fault}, nil
	case from == "":
		return named, []string{fmt.Sprintf("no images: input artifact %s has no %s", strings.Join(artifacts, " or "), strings.Join(names, " or "))}, nil
	}
	found, err := parseImages(body)
	switch {
	case err != nil:
		return named, []string{fmt.Sprintf("%s: %v", from, err)}, nil
	case found.single && len(services) > 1:
		return named, []string{fmt.Sprintf("%s: it names one image, and the release set has %d services: map the key of each to its image", from, len(services))}, nil
	}
	for i, s := range services {
		uri, key := found.uri, "ImageURI"
		if !found.single {
			if uri, key = found.of(s, len(services) == 1); uri == "" {
				faults = append(faults, fmt.Sprintf("%s: it has no image for %q (it has %s)", from, key, few(slices.Sorted(maps.Keys(found.byKey)), ", ")))
				continue
			}
		}
		if named[i], err = checkImage(key, uri); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", from, err))
		}
	}
	return named, faults, nil
}

// of is the service's image, by its key. In a set of one, a file that names
// containers will do as well.
func (i images) of(s release.Service, alone bool) (uri, key string) {
	key = s.ImageKey()
	if uri = i.byKey[key]; uri == "" && alone && s.Image == "" && s.Container != "" {
		uri = i.byKey[s.Container]
	}
	return uri, key
}
