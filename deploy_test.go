package baton_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"baton.dev/baton/internal/catalog"
)

const compose = "local/docker-compose.yml"

type composeFile struct {
	Services map[string]struct {
		Image string `yaml:"image"`
		Build struct {
			Context string            `yaml:"context"`
			Args    map[string]string `yaml:"args"`
		} `yaml:"build"`
		Environment map[string]string `yaml:"environment"`
		Volumes     []string          `yaml:"volumes"`
		Configs     []struct {
			Source string `yaml:"source"`
		} `yaml:"configs"`
		DependsOn map[string]any `yaml:"depends_on"`
	} `yaml:"services"`
	Configs map[string]struct {
		Content string `yaml:"content"`
	} `yaml:"configs"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile(compose)
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestComposeRunsEveryFunction(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	for _, f := range functions {
		s, ok := file.Services[f]
		if !ok {
			t.Errorf("%s has no service %s", compose, f)
			continue
		}
		if got := s.Build.Args["FUNCTION"]; got != f {
			t.Errorf("service %s builds the function %q", f, got)
		}
		for _, name := range []string{"BATON_CONFIG", "BATON_NATS_URL", "BATON_REDIS_URL", "BATON_LISTEN"} {
			if s.Environment[name] == "" {
				t.Errorf("service %s does not set %s", f, name)
			}
		}
	}
}

func TestComposeNamesOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	for name, s := range file.Services {
		if f, ok := s.Build.Args["FUNCTION"]; ok {
			for _, path := range []string{filepath.Join("cmd", f), filepath.Join("local", s.Build.Context, "Dockerfile")} {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("service %s: %v", name, err)
				}
			}
		} else if s.Image == "" {
			t.Errorf("service %s has neither an image nor a function to build", name)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, ok := file.Volumes[from]; ok {
				continue
			}
			if _, err := os.Stat(filepath.Join("local", from)); err != nil {
				t.Errorf("service %s: volume %s: %v", name, v, err)
			}
		}
		for _, c := range s.Configs {
			if file.Configs[c.Source].Content == "" {
				t.Errorf("service %s: config %s has no content", name, c.Source)
			}
		}
		for other := range s.DependsOn {
			if _, ok := file.Services[other]; !ok {
				t.Errorf("service %s depends on %s, which there is not", name, other)
			}
		}
	}
}

func TestComposeKeepsEventsOnAVolumeAndSyncsThem(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	nats := file.Services["nats"]
	if len(nats.Configs) != 1 || !slices.Contains(nats.Volumes, "nats:/data") {
		t.Fatalf("the nats service has configs %v and volumes %v", nats.Configs, nats.Volumes)
	}
	for _, f := range functions {
		if got := file.Services[f].Environment["BATON_NATS_SYNC"]; got != "always" {
			t.Errorf("service %s takes the server's sync for %q", f, got)
		}
	}
	conf := file.Configs[nats.Configs[0].Source].Content
	for _, want := range []string{"store_dir: /data", "sync_interval: always"} {
		if !strings.Contains(conf, want) {
			t.Errorf("the server's configuration lacks %q:\n%s", want, conf)
		}
	}
}

func TestComposeConfigurationIsValid(t *testing.T) {
	t.Parallel()
	c, err := catalog.Load("local/docker-compose.baton.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const key = "baton_compose-demo-key"
	text, err := os.ReadFile(compose)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "Bearer "+key) {
		t.Errorf("%s does not say the key %s", compose, key)
	}
	tenant, ok := c.TenantByKey(key)
	if !ok {
		t.Fatalf("no tenant has the key %s", key)
	}
	env := readCompose(t).Services["callback"].Environment
	for _, s := range tenant.Secrets {
		if _, err := s.Resolve(func(name string) string { return env[name] }); err != nil {
			t.Error(err)
		}
	}
}
