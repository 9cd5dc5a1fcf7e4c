-- The XMPP server of compose.yaml. ENV_NAME is Prosody's way to read the environment variable NAME.

data_path = "/var/lib/prosody"
pidfile = "/var/lib/prosody/prosody.pid"
log = { { levels = { min = "info" }, to = "console" } }

modules_enabled = {
    "roster", "saslauth", "tls", "disco", "ping", "carbons", "pep", "smacks", "blocklist",
    "private", "vcard_legacy", "version", "time",
}
modules_disabled = { "s2s" } -- it talks to no other server; remove this line to federate

authentication = "internal_hashed"
allow_registration = false
c2s_require_encryption = true
certificates = "/var/lib/prosody/certs"

-- The bridge connects from another container. No port of it is published beyond the containers.
component_interfaces = { "*" }
component_ports = { 5347 }
network_settings = { nagle = false } -- it holds small stanzas back for 40 ms

VirtualHost(ENV_XMPP_DOMAIN)

Component("muc." .. ENV_XMPP_DOMAIN)("muc")
modules_enabled = { "muc_mam" } -- the archive, from which the bridge reads what it missed
muc_log_by_default = true
restrict_room_creation = false -- the bridge may make rooms, too; only accounts made here get in

Component("consilium." .. ENV_XMPP_DOMAIN)
component_secret = ENV_CONSILIUM_XMPP_SECRET
