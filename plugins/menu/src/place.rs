//! Where the customer is: the keys from the top of the tree to a menu. Remembered per conversation, in `kv`.

use vestibule_plugin::kv::{self, KvError};

use crate::settings::{Item, Node};

/// A path of keys, empty at the top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place(Vec<String>);

impl Place {
    /// Where the last turn left the customer; the top when that menu is gone, because the tenant has changed the tree.
    pub(crate) fn recall(conversation: &str, root: &Node) -> Result<Self, KvError> {
        let stored = kv::get(&key_of(conversation))?.unwrap_or_default();
        let place = Self::parse(&String::from_utf8_lossy(&stored));
        Ok(match place.node(root) {
            Some(_) => place,
            None => Self::default(),
        })
    }

    /// Keeps it for the next turn; a customer at the top costs nothing.
    pub(crate) fn remember(&self, conversation: &str) -> Result<(), KvError> {
        let key = key_of(conversation);
        if self.0.is_empty() {
            return kv::delete(&key);
        }
        kv::set(&key, self.path().as_bytes())
    }

    /// Keys joined by `/`, which no key contains.
    pub(crate) fn path(&self) -> String {
        self.0.join("/")
    }

    pub(crate) fn parse(path: &str) -> Self {
        let keys = path.split('/').filter(|key| !key.is_empty());
        Self(keys.map(str::to_owned).collect())
    }

    /// The menu at this place.
    pub(crate) fn node<'a>(&self, root: &'a Node) -> Option<&'a Node> {
        self.0.iter().try_fold(root, |node, key| {
            let item = node.items.iter().find(|item| item.key == *key)?;
            item.submenu.as_ref()
        })
    }

    /// The item that this path leads to, for a tapped choice.
    pub(crate) fn item<'a>(&self, root: &'a Node) -> Option<&'a Item> {
        let key = self.0.last()?;
        let menu = self.up().node(root)?;
        menu.items.iter().find(|item| item.key == *key)
    }

    pub(crate) fn below(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    pub(crate) fn up(&self) -> Self {
        let above = self.0.split_last().map_or(&[][..], |(_, above)| above);
        Self(above.to_vec())
    }

    pub(crate) fn is_top(&self) -> bool {
        self.0.is_empty()
    }
}

fn key_of(conversation: &str) -> String {
    format!("at/{conversation}")
}
