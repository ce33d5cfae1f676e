package ec2

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/wire"
)

// InstanceTypeInfo is an instance type as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceTypeInfo.html
type InstanceTypeInfo struct {
	InstanceType                  string
	CurrentGeneration             bool
	FreeTierEligible              bool
	SupportedUsageClasses         []string
	SupportedRootDeviceTypes      []string
	SupportedVirtualizationTypes  []string
	BareMetal                     bool
	Hypervisor                    string
	ProcessorInfo                 ProcessorInfo
	VCpuInfo                      VCPUInfo
	MemoryInfo                    MemoryInfo
	BurstablePerformanceSupported bool
}

// ProcessorInfo says what an instance type's processor runs.
type ProcessorInfo struct{ SupportedArchitectures []string }

// VCPUInfo says how many virtual processors an instance type has.
type VCPUInfo struct{ DefaultVCpus int32 }

// MemoryInfo says how much memory an instance type has, in MiB.
type MemoryInfo struct{ SizeInMiB int64 }

// A family is a row of instance types.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
type family struct {
	name          string
	architectures []string
	virtual       []string // virtualization types
	hypervisor    string
	old           bool // of a previous generation
	burstable     bool
	perCPU        int64 // MiB of memory a virtual processor, but for burstable ones
	sizes         string
}

const (
	burst = "nano micro small medium large xlarge 2xlarge"
	even  = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"
)

var (
	x86     = []string{"x86_64"}
	x86old  = []string{"i386", "x86_64"}
	arm     = []string{"arm64"}
	hvm     = []string{"hvm"}
	hvmOrPV = []string{"hvm", "paravirtual"}
	pv      = []string{"paravirtual"}
)

var families = []family{
	{name: "t2", architectures: x86old, virtual: hvm, hypervisor: "xen", burstable: true, sizes: burst},
	{name: "t3", architectures: x86, virtual: hvm, hypervisor: "nitro", burstable: true, sizes: burst},
	{name: "t3a", architectures: x86, virtual: hvm, hypervisor: "nitro", burstable: true, sizes: burst},
	{name: "t4g", architectures: arm, virtual: hvm, hypervisor: "nitro", burstable: true, sizes: burst},
	{name: "m1", architectures: x86old, virtual: pv, hypervisor: "xen", old: true, perCPU: 1740, sizes: "small"},
	{name: "m3", architectures: x86, virtual: hvmOrPV, hypervisor: "xen", old: true, perCPU: 3840, sizes: "medium large xlarge 2xlarge"},
	{name: "m4", architectures: x86, virtual: hvm, hypervisor: "xen", perCPU: 4096, sizes: "large xlarge 2xlarge 4xlarge 16xlarge"},
	{name: "m5", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m5a", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m6i", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m6a", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m6g", architectures: arm, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
	{name: "m7i", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m7a", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: even},
	{name: "m7g", architectures: arm, virtual: hvm, hypervisor: "nitro", perCPU: 4096, sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
	{name: "c5", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 2048, sizes: "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge"},
	{name: "c6i", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 2048, sizes: even},
	{name: "c6g", architectures: arm, virtual: hvm, hypervisor: "nitro", perCPU: 2048, sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
	{name: "c7i", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 2048, sizes: even},
	{name: "c7g", architectures: arm, virtual: hvm, hypervisor: "nitro", perCPU: 2048, sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
	{name: "r5", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 8192, sizes: even},
	{name: "r6i", architectures: x86, virtual: hvm, hypervisor: "nitro", perCPU: 8192, sizes: even},
	{name: "r6g", architectures: arm, virtual: hvm, hypervisor: "nitro", perCPU: 8192, sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
}

// processors are how many virtual processors the sizes below xlarge have.
var processors = map[string]int32{"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}

// burstMemory is what burstable types have, in MiB.
var burstMemory = map[string]int64{"nano": 512, "micro": 1024, "small": 2048, "medium": 4096, "large": 8192, "xlarge": 16384, "2xlarge": 32768}

// typeOf describes an instance type by name.
func typeOf(name string) (InstanceTypeInfo, bool) {
	familyName, size, _ := strings.Cut(name, ".")
	for _, f := range families {
		if f.name == familyName && slices.Contains(strings.Fields(f.sizes), size) {
			return f.describe(size), true
		}
	}
	return InstanceTypeInfo{}, false
}

func (f family) describe(size string) InstanceTypeInfo {
	cpus, ok := processors[size]
	if times, err := strconv.Atoi(strings.TrimSuffix(size, "xlarge")); !ok && err == nil {
		cpus = int32(times) * 4
	}
	if !f.burstable && (size == "medium" || size == "small") || f.name == "t2" && burstMemory[size] < 4096 {
		cpus = 1
	}
	memory := int64(cpus) * f.perCPU
	if f.burstable {
		memory = burstMemory[size]
	}
	architectures := f.architectures
	if f.name == "t2" && strings.HasSuffix(size, "large") {
		architectures = x86
	}
	return InstanceTypeInfo{
		InstanceType: f.name + "." + size, CurrentGeneration: !f.old, FreeTierEligible: size == "micro" && (f.name == "t2" || f.name == "t3"),
		SupportedUsageClasses: []string{"on-demand", "spot"}, SupportedRootDeviceTypes: []string{"ebs"},
		SupportedVirtualizationTypes: f.virtual, Hypervisor: f.hypervisor, BurstablePerformanceSupported: f.burstable,
		ProcessorInfo: ProcessorInfo{architectures}, VCpuInfo: VCPUInfo{cpus}, MemoryInfo: MemoryInfo{memory},
	}
}

// DescribeInstanceTypesInput asks for instance types.
type DescribeInstanceTypesInput struct {
	InstanceTypes []string `aws:"InstanceType"`
	Filters       []Filter `aws:"Filter"`
	Page
}

// DescribeInstanceTypesOutput lists instance types.
type DescribeInstanceTypesOutput struct {
	InstanceTypeSet []InstanceTypeInfo
	NextToken       string
}

type placedType struct {
	InstanceTypeInfo
	place int
}

var typeFilters = tagged[placedType]{filters: filters[placedType]{
	"instance-type":                         func(t placedType) []string { return []string{t.InstanceType} },
	"processor-info.supported-architecture": func(t placedType) []string { return t.ProcessorInfo.SupportedArchitectures },
	"supported-virtualization-type":         func(t placedType) []string { return t.SupportedVirtualizationTypes },
	"supported-root-device-type":            func(t placedType) []string { return t.SupportedRootDeviceTypes },
	"supported-usage-class":                 func(t placedType) []string { return t.SupportedUsageClasses },
	"hypervisor":                            func(t placedType) []string { return []string{t.Hypervisor} },
	"bare-metal":                            func(t placedType) []string { return []string{strconv.FormatBool(t.BareMetal)} },
	"current-generation":                    func(t placedType) []string { return []string{strconv.FormatBool(t.CurrentGeneration)} },
	"free-tier-eligible":                    func(t placedType) []string { return []string{strconv.FormatBool(t.FreeTierEligible)} },
	"burstable-performance-supported": func(t placedType) []string {
		return []string{strconv.FormatBool(t.BurstablePerformanceSupported)}
	},
	"vcpu-info.default-vcpus": func(t placedType) []string { return []string{strconv.Itoa(int(t.VCpuInfo.DefaultVCpus))} },
	"memory-info.size-in-mib": func(t placedType) []string { return []string{strconv.FormatInt(t.MemoryInfo.SizeInMiB, 10)} },
}}

// DescribeInstanceTypes answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceTypes.html
func (s *Service) DescribeInstanceTypes(_ context.Context, in *DescribeInstanceTypesInput) (*DescribeInstanceTypesOutput, error) {
	if err := typeFilters.check(in.Filters); err != nil {
		return nil, err
	}
	if err := unpaged(in.Page, "instanceTypes", in.InstanceTypes); err != nil {
		return nil, err
	}
	var unknown []string
	for _, name := range in.InstanceTypes {
		if _, ok := typeOf(name); !ok {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		return nil, wire.Errorf("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", strings.Join(unknown, ", "))
	}
	var all []placedType
	place := 0
	for _, f := range families {
		for size := range strings.FieldsSeq(f.sizes) {
			place++
			t := placedType{f.describe(size), place}
			if (len(in.InstanceTypes) == 0 || slices.Contains(in.InstanceTypes, t.InstanceType)) && typeFilters.keeps(in.Filters, t) {
				all = append(all, t)
			}
		}
	}
	found, next, err := cut(in.Page, limits{5, 100}, all, func(t placedType) int { return t.place })
	out := &DescribeInstanceTypesOutput{InstanceTypeSet: []InstanceTypeInfo{}, NextToken: next}
	for _, t := range found {
		out.InstanceTypeSet = append(out.InstanceTypeSet, t.InstanceTypeInfo)
	}
	return out, err
}
