// Package rules holds the rules of this house as tests, each with its why.
package rules
