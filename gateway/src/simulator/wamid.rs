//! Message ids. Like Meta's they are opaque to everybody else; to the simulator they say which number and customer
//! they belong to, so that no index over all messages is needed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Who wrote the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    FromCustomer,
    FromBusiness,
}

/// What the simulator reads from an id of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wamid {
    pub direction: Direction,
    pub phone_number_id: String,
    pub customer: String,
}

/// `run` and `sequence` make the id unique over restarts and within a run.
pub fn make(
    direction: Direction,
    phone_number_id: &str,
    customer: &str,
    run: u64,
    sequence: u64,
) -> String {
    let mark = match direction {
        Direction::FromCustomer => 'i',
        Direction::FromBusiness => 'o',
    };
    let plain = format!("{mark}|{phone_number_id}|{customer}|{run:x}|{sequence:x}");
    let mut id = String::with_capacity(6 + plain.len().div_ceil(3) * 4);
    id.push_str("wamid.");
    STANDARD.encode_string(plain, &mut id);
    id
}

/// `None`: not an id of this simulator.
pub fn read(id: &str) -> Option<Wamid> {
    let plain = STANDARD.decode(id.strip_prefix("wamid.")?).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let mut parts = plain.split('|');
    let direction = match parts.next()? {
        "i" => Direction::FromCustomer,
        "o" => Direction::FromBusiness,
        _ => return None,
    };
    let phone_number_id = parts.next()?.to_owned();
    let customer = parts.next()?.to_owned();
    (parts.count() == 2).then_some(Wamid {
        direction,
        phone_number_id,
        customer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_chat() {
        let id = make(Direction::FromBusiness, "770001", "GB.44", 7, 255);
        let read = read(&id).expect("our own id");
        assert_eq!(read.direction, Direction::FromBusiness);
        assert_eq!(
            (&*read.phone_number_id, &*read.customer),
            ("770001", "GB.44")
        );
    }

    #[test]
    fn a_foreign_id_is_not_read() {
        assert_eq!(read("wamid.SAMPLEA1=="), None);
        assert_eq!(read("hello"), None);
    }
}
