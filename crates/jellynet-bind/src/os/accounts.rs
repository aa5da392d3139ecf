//! Users and groups from `/etc/passwd` and `/etc/group` (passwd(5), group(5)).

use std::fs;

use crate::listen::Account;

/// The user's number.
pub(crate) fn user_id(account: &Account) -> Option<u32> {
    id_in("/etc/passwd", account)
}

/// The group's number.
pub(crate) fn group_id(account: &Account) -> Option<u32> {
    id_in("/etc/group", account)
}

fn id_in(file: &str, account: &Account) -> Option<u32> {
    match account {
        Account::Id(id) => Some(*id),
        Account::Name(name) => id_of(&fs::read_to_string(file).ok()?, name),
    }
}

/// The name of a user.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    name_of(&fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn id_of(file: &str, name: &str) -> Option<u32> {
    let mut entries = file.lines().map(|line| line.split(':'));
    entries.find_map(|mut fields| {
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

fn name_of(file: &str, id: u32) -> Option<String> {
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        let file = "root:x:0:0:root:/root:/bin/bash\n# odd\n\nmedia:x:1001:44::/srv:/bin/false\n";
        assert_eq!(id_of(file, "media"), Some(1001));
        assert_eq!(id_of(file, "nobody"), None);
        assert_eq!(name_of(file, 0).as_deref(), Some("root"));
        assert_eq!(name_of(file, 7), None);
    }
}
