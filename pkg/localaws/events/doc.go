// Package events is the embedded AWS's event bus: rules that match events by
// pattern, and the targets that get them.
//
// What happens to an event, in order: it is wrapped as EventBridge wraps it,
// held against every enabled rule, and delivered to each target of those that
// match, apart from the publisher, through the clock. Publishing changes nothing
// else here. A target must bear an event twice, as with EventBridge itself.
//
// Known differences from AWS:
//
//  1. There is the bus "default" only, and no schedules, archives, replays,
//     input paths or transformers: members that ask for them are refused.
//  2. Patterns match by exact values, prefix, exists, anything-but and numeric.
//     Any other operator is refused by its name.
//  3. A delivery that fails is logged and kept in Deliveries; it is not tried
//     again, and there are no dead-letter queues.
//  4. Targets are pipelines and whatever Config.Targets lists: in the embedded
//     AWS functions, which get the event as Lambda's asynchronous invocations
//     do, and topics, which get it as a message without a subject.
//  5. The policies by which a function (AWS::Lambda::Permission) and a topic let
//     EventBridge in are not asked: AWS would drop the event without them.
package events
