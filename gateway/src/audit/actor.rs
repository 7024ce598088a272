//! Who does something: an API key, somebody at the command line, or the gateway itself.

/// What kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    Key,
    CommandLine,
    Gateway,
}

impl ActorKind {
    pub fn text(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::CommandLine => "command_line",
            Self::Gateway => "gateway",
        }
    }
}

/// Who, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    /// The key's id; the machine's user.
    pub id: String,
    pub name: String,
    /// IP address; `""` when it did not come over the network.
    pub address: String,
    /// What the client calls itself.
    pub agent: String,
}

/// Longer user agents are cut: the log is for people.
const AGENT_CHARS: usize = 200;

impl Actor {
    /// The gateway's own doing.
    pub fn gateway() -> Self {
        Self {
            kind: ActorKind::Gateway,
            id: String::new(),
            name: "gateway".to_owned(),
            address: String::new(),
            agent: String::new(),
        }
    }

    /// A user of the machine, by the command line.
    pub fn command_line(uid: u32) -> Self {
        Self {
            kind: ActorKind::CommandLine,
            id: format!("uid {uid}"),
            name: "command line".to_owned(),
            address: String::new(),
            agent: format!("vestibule/{}", env!("CARGO_PKG_VERSION")),
        }
    }

    /// A request with an API key.
    pub fn key(id: String, name: String, address: String, agent: &str) -> Self {
        let printable = agent.chars().filter(|c| !c.is_control());
        Self {
            kind: ActorKind::Key,
            id,
            name,
            address,
            agent: printable.take(AGENT_CHARS).collect(),
        }
    }

    /// How rows name whoever made them: `key key_… (CRM)`.
    pub fn label(&self) -> String {
        match self.kind {
            ActorKind::Key => format!("{} ({})", self.id, self.name),
            ActorKind::CommandLine => format!("{} ({})", self.name, self.id),
            ActorKind::Gateway => self.name.clone(),
        }
    }
}
