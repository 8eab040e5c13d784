package catalog

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

// kafka reads where requests are taken from in Kafka.
func (r *reader) kafka(v value) Kafka {
	k := Kafka{Group: "baton"}
	has := r.object(v, fields{
		"brokers":  func(v value) { k.Brokers = r.brokers(v) },
		"group":    func(v value) { k.Group = r.word(v, "the name of a group of consumers") },
		"username": func(v value) { k.Username = r.secret(v, intake) },
		"password": func(v value) { k.Password = r.secret(v, intake) },
		"tls":      func(v value) { k.TLS = r.flag(v) },
	})
	r.need(v, has, "brokers", "give one broker at least, as host:port")
	r.both(v, has, "username", "password", "")
	return k
}

func (r *reader) brokers(v value) []string {
	const want = "a broker, as host:port such as kafka.internal:9092"
	var brokers []string
	r.distinct(r.some(v, "a list of brokers", "give one broker at least, as host:port"), want, func(v value, s string) {
		brokers = append(brokers, s)
		host, port, err := net.SplitHostPort(s)
		named := net.ParseIP(host) != nil || hostName(strings.ToLower(host))
		if err != nil || !named || port == "" || !validPort(&url.URL{Host: s}) {
			r.failf(v, "is no broker: expected %s", want)
		}
	})
	return brokers
}

// topicName is what Kafka takes as one, but for . and .. alone.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// intake reads where else a tenant's requests are taken from. topics has the path of the first tenant that each belongs to.
func (r *reader) intake(v value, tenant string, c *Catalog, topics map[string]string) Intake {
	var in Intake
	dotted := func(v value, on bool, what string) {
		if on && strings.Contains(tenant, ".") {
			r.failf(v, "needs a tenant without a dot in its name, which is part of %s: rename the tenant, or remove it", what)
		}
	}
	r.object(v, fields{
		"nats": func(v value) { in.NATS = r.flag(v); dotted(v, in.NATS, "the subject baton.in.TENANT") },
		"sqs":  func(v value) { in.SQS = r.flag(v); dotted(v, in.SQS, "the name of the queue baton-in-TENANT") },
		"kafka": func(v value) {
			in.Kafka = r.topics(v, topics)
			r.later = append(r.later, func() {
				if len(c.Kafka.Brokers) == 0 && c.Kafka.Group == "" {
					r.failf(v, "has no brokers to be taken from: give kafka, beside tenants, with its brokers")
				}
			})
		},
	})
	return in
}

func (r *reader) topics(v value, taken map[string]string) []string {
	var topics []string
	list := r.some(v, "a list of topics", "leave the key out to take none")
	r.distinct(list, "the name of a topic", func(v value, s string) {
		topics = append(topics, s)
		first, is := taken[s]
		switch {
		case !topicName.MatchString(s) || strings.Trim(s, ".") == "":
			r.failf(v, "is no topic: expected 1 to 249 letters, digits, dots, - and _")
		case is:
			r.failf(v, "is the same as %s: a topic belongs to one tenant", first)
		default:
			taken[s] = v.path
		}
	})
	return topics
}
