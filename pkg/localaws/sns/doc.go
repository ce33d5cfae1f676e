// Package sns is the embedded AWS's Simple Notification Service: topics, their
// subscriptions, and messages that go to functions.
//
// Publishing keeps the message with its topic (the latest hundred, see
// Messages), then hands it to each function that subscribed. Creating a topic or
// subscribing again changes nothing and names what is there; a message published
// again is another message.
//
// Known differences from AWS:
//
//  1. Standard topics only: no FIFO, no filter policies, no delivery policies, no
//     message attributes, no dead-letter queues. Members that ask for them are
//     refused.
//  2. Subscribers are functions (lambda) and mailboxes (email, email-json). No
//     mail is sent: a mailbox stays pending confirmation, and gets nothing, as
//     with AWS.
//  3. The signature of a function's event is not one that can be verified.
//  4. A topic's policy is kept and shown, not enforced.
//  5. KmsMasterKeyId is kept and shown; nothing is encrypted.
package sns
