-- Prosody for the interoperability tests: one domain on loopback, nothing clear, nothing plain.
-- The words in @...@ are filled in by harness.py.

pidfile = "@folder@/prosody.pid"
data_path = "@folder@/data"
certificates = "@folder@"
log = { debug = "@folder@/prosody.log" }

modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "time", "version" }
modules_disabled = { "s2s", "offline", "posix" }

interfaces = { "127.0.0.1" }
c2s_ports = { @port@ }
c2s_direct_tls_ports = { @direct_tls_port@ }

ssl = { certificate = "@certificate@", key = "@key@" }
c2s_require_encryption = true
allow_unencrypted_plain_auth = false
authentication = "internal_hashed"
password_hash = "SHA-256"
disable_sasl_mechanisms = { "PLAIN", "OAUTHBEARER" }
storage = "internal"

VirtualHost "@domain@"
