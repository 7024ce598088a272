//! Contact cards (§4.2), spelled as Meta spells them.

use serde::{Deserialize, Serialize};

/// Structs in which every field is a text that may be left out.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { $($field:ident $(as $spelled:literal)?,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                $(
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    $(#[serde(rename = $spelled)])?
                    pub $field: Option<String>,
                )*
            }
        )*
    };
}

texts! {
    CardPhone { phone, kind as "type", wa_id, }
    CardEmail { email, kind as "type", }
    CardUrl { url, kind as "type", }
    CardAddress { street, city, state, zip, country, country_code, kind as "type", }
    CardOrganisation { company, department, title, }
}

/// `formatted_name` and at least one part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardName {
    pub formatted_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactCard {
    pub name: CardName,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<CardPhone>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<CardEmail>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<CardAddress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<CardUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<CardOrganisation>,
    /// `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birthday: Option<String>,
}
