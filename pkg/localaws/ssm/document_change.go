package ssm

import (
	"context"
	"slices"
	"strconv"
)

// UpdateDocumentDefaultVersionInput says which version is meant when none is
// named.
type UpdateDocumentDefaultVersionInput struct {
	Name            string `aws:",required"`
	DocumentVersion string `aws:",required"`
}

// UpdateDocumentDefaultVersionOutput is the default version.
type UpdateDocumentDefaultVersionOutput struct {
	Description *DefaultVersion
}

// DefaultVersion is a document's default version.
type DefaultVersion struct{ Name, DefaultVersion, DefaultVersionName string }

// UpdateDocumentDefaultVersion answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocumentDefaultVersion.html
func (s *Service) UpdateDocumentDefaultVersion(_ context.Context, in *UpdateDocumentDefaultVersionInput) (*UpdateDocumentDefaultVersionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.changeableLocked(in.Name)
	if err != nil {
		return nil, err
	}
	if _, err := strconv.Atoi(in.DocumentVersion); err != nil {
		return nil, invalid("DocumentVersion: %q is not a number", in.DocumentVersion)
	}
	v := d.version(in.DocumentVersion)
	if v == nil {
		return nil, noSuchVersion()
	}
	d.defaultVersion = v.number
	return &UpdateDocumentDefaultVersionOutput{&DefaultVersion{d.name, in.DocumentVersion, v.versionName}}, nil
}

// DeleteDocumentInput names a document, or one of its versions.
type DeleteDocumentInput struct {
	Name            string `aws:",required"`
	DocumentVersion string
	VersionName     string
}

// DeleteDocument answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteDocument.html
func (s *Service) DeleteDocument(_ context.Context, in *DeleteDocumentInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.changeableLocked(in.Name)
	if err != nil {
		return nil, err
	}
	if in.DocumentVersion == "" && in.VersionName == "" {
		delete(s.documents, d.name)
		delete(s.tags, taggable{"Document", d.name})
		return &Empty{}, nil
	}
	_, v, err := s.versionLocked(in.Name, in.DocumentVersion, in.VersionName)
	if err != nil {
		return nil, err
	}
	if v.number == d.defaultVersion {
		return nil, refuse("InvalidDocumentOperation", "Default version of the document can't be deleted.")
	}
	d.versions = slices.DeleteFunc(d.versions, func(other *documentVersion) bool { return other == v })
	return &Empty{}, nil
}
