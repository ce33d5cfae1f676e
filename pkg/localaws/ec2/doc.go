// Package ec2 keeps images, snapshots, instances and launch templates as EC2
// does, and the records of the network that templates create.
//
// An instance's inside is somebody else's (Machines): this package says when it
// boots, stops, is copied into a snapshot and is removed, and shows its state as
// EC2 would. States follow the clock and the machine: running is shown once the
// pending time has passed and the machine was made, stopped once the machine
// has stopped, and so on. What is asked of one machine is done in the order it
// was asked for, so an image of an instance that is terminated right afterwards
// is whole. Repeating a call with its ClientToken changes nothing.
//
// Known differences from EC2:
//  1. Nothing is routed or filtered by the network. Instances, tasks and load
//     balancers listen on loopback, whatever subnets and security groups say.
//  2. Amazon's public images are Amazon Linux 2023, one per architecture and
//     publication (PublishAmazonImage). Older ones are not deprecated.
//  3. Volumes are part of their instance: only the root device has content.
//     Sizes and types of volumes are recorded.
//  4. Key pairs, placement, monitoring, credits and a shutdown from within are
//     recorded, not acted on. Any key name is accepted.
//  5. What was deregistered, deleted or made is seen by the next call: nothing is
//     eventually consistent. A terminated instance is shown for an hour.
//  6. The reason for a launch template version that can't be deleted because it
//     is the default has the code unexpectedError; AWS documents no other.
//  7. Networks, Availability Zones and tags of one resource fit one page.
//  8. A session of the metadata service lasts as long as its instance.
//  9. DryRun is not served, nor spot, fleets, Windows, volumes on their own, and
//     the attributes of images and instances that are not in the types here.
package ec2
