package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// made is the time of every file in an archive: the earliest that the format knows.
var made = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// packFile packs a program and, unless it is "", its configuration.
func packFile(out, program, config string) error {
	var archive bytes.Buffer
	if err := pack(&archive, program, config); err != nil {
		return err
	}
	return os.WriteFile(out, archive.Bytes(), 0o644) //nolint:gosec // it is for everyone to read: it has no secret in it
}

// pack writes the archive: the same bytes for the same content.
func pack(w io.Writer, program, config string) error {
	archive := zip.NewWriter(w)
	if err := add(archive, "bootstrap", program, 0o755); err != nil {
		return err
	}
	if config != "" {
		if err := add(archive, "baton.yaml", config, 0o644); err != nil {
			return err
		}
	}
	return archive.Close()
}

func add(archive *zip.Writer, name, path string, mode fs.FileMode) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: made}
	header.SetMode(mode)
	entry, err := archive.CreateHeader(header)
	if err == nil {
		_, err = entry.Write(content)
	}
	if err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}
