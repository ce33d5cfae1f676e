// Package job is CodePipeline's job protocol.
package job
