// SPDX-License-Identifier: GPL-2.0

//! Host sections, addresses, volumes.

use crate::{
    cursor::Cursor,
    error::Problem,
    lexer::Kind,
    model::{
        Address,
        Host,
        Meta,
        Volume, //
    },
    section::{
        option,
        TABLES, //
    },
    tree::Statement,
    unique::Unique, //
};
use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

/// Largest volume number.
const VOLUME_MAX: u32 = 65534;
/// Longest name of a device behind `/dev/drbd`, in bytes.
const NAME_MAX: usize = 100;
/// Largest minor number.
const MINOR_MAX: u32 = (1 << 20) - 1;
/// Largest index of a slot of metadata that a device of 16 TiB has.
const INDEX_MAX: u32 = 131_071;

/// Reads `[family] address:port`.
pub(crate) fn address(cursor: &mut Cursor<'_>) -> Result<Address, Problem> {
    let place = cursor.place().clone();
    let family = ["ipv4", "ipv6", "sdp", "ssocks", "sci"]
        .into_iter()
        .find(|family| cursor.take_word(family));
    let host = if family == Some("ipv6") {
        cursor.punctuation(Kind::OpenIndex, "'['")?;
        let host = cursor.until(Kind::CloseIndex);
        cursor.punctuation(Kind::CloseIndex, "']' behind the address")?;
        let plain = host.split('%').next().unwrap_or_default();
        if plain.parse::<Ipv6Addr>().is_err() {
            return Err(Problem::new(
                &place,
                format!("expected an IPv6 address between '[' and ']', got '{host}'"),
            ));
        }
        host
    } else {
        let what = match family {
            Some(_) => "an IPv4 address",
            None => "an IPv4 address, or 'ipv4', 'ipv6', 'sdp' or 'ssocks'",
        };
        if !cursor.is_next(Kind::Word) {
            return Err(cursor.expected(what));
        }
        let before = cursor.expected(what);
        let token = cursor.text(what)?;
        token
            .text
            .parse::<Ipv4Addr>()
            .map_err(|_| before)?
            .to_string()
    };
    cursor.punctuation(Kind::Colon, "':' and a port")?;
    let port = cursor.number("a port", 1, 65535)?;
    let family = match family {
        Some("sci") => "ssocks",
        Some(family) => family,
        None => "ipv4",
    };
    Ok(Address {
        family: family.to_owned(),
        host,
        port: u16::try_from(port).unwrap_or_default(),
    })
}

/// Reads a statement that describes a volume: `device`, `disk`, `meta-disk`. `Ok(false)`: it is
/// none of these.
pub(crate) fn volume_statement(
    volume: &mut Volume,
    statement: &Statement,
    problems: &mut Vec<Problem>,
) -> Result<bool, Problem> {
    let Some(word) = statement.words.first() else {
        return Ok(false);
    };
    let mut cursor = Cursor::after_keyword(statement);
    match word.text.as_str() {
        "device" => device(volume, cursor)?,
        "disk" => match &statement.body {
            Some(body) => {
                cursor.body()?;
                for each in body {
                    match option("disk", TABLES[2].1, each) {
                        Ok(found) => volume.options.extend(found),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            None => {
                let path = cursor.text("the path of the lower device, or '{'")?;
                volume.disk = Some(path.text.clone());
                cursor.end()?;
            }
        },
        "meta-disk" | "flexible-meta-disk" => {
            volume.meta = Some(meta(&mut cursor)?);
            cursor.end()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn meta(cursor: &mut Cursor<'_>) -> Result<Meta, Problem> {
    let path = cursor.text("'internal' or the path of a device")?;
    if path.text == "internal" {
        return Ok(Meta::Internal);
    }
    if !cursor.is_next(Kind::OpenIndex) {
        return Ok(Meta::Flexible(path.text.clone()));
    }
    cursor.punctuation(Kind::OpenIndex, "'['")?;
    let index = cursor.number("an index", 0, INDEX_MAX)?;
    cursor.punctuation(Kind::CloseIndex, "']' behind the index")?;
    Ok(Meta::Indexed(path.text.clone(), index))
}

/// `device /dev/drbd0;`, `device drbd0 minor 0;` or `device minor 0;`.
fn device(volume: &mut Volume, mut cursor: Cursor<'_>) -> Result<(), Problem> {
    let place = cursor.place().clone();
    let mut named = None;
    if !cursor.take_word("minor") {
        let token = cursor.text("a device such as /dev/drbd0, or 'minor'")?;
        let path = match token.text.strip_prefix("/dev/") {
            Some(_) => token.text.clone(),
            None => format!("/dev/{}", token.text),
        };
        let rest = path
            .strip_prefix("/dev/drbd")
            .filter(|rest| rest.len() <= NAME_MAX);
        let rest = rest.ok_or_else(|| {
            Problem::new(
                &place,
                format!("expected /dev/drbdNUMBER, got {}", token.shown()),
            )
        })?;
        named = rest.parse().ok().filter(|minor| *minor <= MINOR_MAX);
        if named.is_none() && !rest.starts_with('_') {
            return Err(Problem::new(
                &place,
                format!("expected /dev/drbdNUMBER, got {}", token.shown()),
            ));
        }
        volume.device = Some(path);
        if !cursor.take_word("minor") {
            cursor.end()?;
            volume.minor = Some(named.ok_or_else(|| {
                Problem::new(&place, "the name has no number; expected 'minor' and one")
            })?);
            return Ok(());
        }
    }
    let minor = cursor.number("a minor number", 0, MINOR_MAX)?;
    cursor.end()?;
    if named.is_some_and(|named| named != minor) {
        return Err(Problem::new(
            &place,
            format!("name and minor differ; expected 'device /dev/drbd{minor} minor {minor}'"),
        ));
    }
    volume.minor = Some(minor);
    Ok(())
}

/// The number behind `volume`.
pub(crate) fn volume_number(cursor: &mut Cursor<'_>) -> Result<u32, Problem> {
    cursor.number("a volume number", 0, VOLUME_MAX)
}

/// What a section `volume` says.
pub(crate) fn volume_section(
    statement: &Statement,
    problems: &mut Vec<Problem>,
) -> Result<Volume, Problem> {
    let mut cursor = Cursor::after_keyword(statement);
    let place = cursor.place().clone();
    let mut volume = Volume {
        number: volume_number(&mut cursor)?,
        implicit: false,
        place,
        device: None,
        minor: None,
        disk: None,
        meta: None,
        options: Vec::new(),
    };
    for each in cursor.body()? {
        match volume_statement(&mut volume, each, problems) {
            Ok(true) => {}
            Ok(false) => problems.push(keyword_expected(
                each,
                "'device', 'disk', 'meta-disk' or 'flexible-meta-disk'",
            )),
            Err(problem) => problems.push(problem),
        }
    }
    Ok(volume)
}

/// That another keyword was expected.
pub(crate) fn keyword_expected(statement: &Statement, what: &str) -> Problem {
    match statement.words.first() {
        Some(word) => Problem::new(
            &word.place,
            format!("expected {what}, got {}", word.shown()),
        ),
        None => Problem::new(&statement.end, format!("expected {what}")),
    }
}

/// The volume that statements outside of a section `volume` describe.
pub(crate) fn implicit<'a>(
    volumes: &'a mut Vec<Volume>,
    statement: &Statement,
) -> Result<&'a mut Volume, Problem> {
    if volumes.iter().any(|volume| !volume.implicit) {
        return Err(Problem::new(
            &statement.end,
            "there are sections 'volume' here; expected this inside of one of them",
        ));
    }
    if volumes.is_empty() {
        volumes.push(Volume {
            number: 0,
            implicit: true,
            place: statement
                .words
                .first()
                .map_or_else(|| statement.end.clone(), |word| word.place.clone()),
            device: None,
            minor: None,
            disk: None,
            meta: None,
            options: Vec::new(),
        });
    }
    volumes
        .first_mut()
        .ok_or_else(|| keyword_expected(statement, "a volume"))
}

/// Adds a volume to a list that is sorted by number.
pub(crate) fn add_volume(volumes: &mut Vec<Volume>, new: Volume) -> Result<(), Problem> {
    if volumes.iter().any(|volume| volume.implicit) {
        return Err(Problem::new(
            &new.place,
            "a volume is described outside of sections 'volume'; expected no section 'volume'",
        ));
    }
    match volumes.binary_search_by_key(&new.number, |volume| volume.number) {
        Ok(_) => Err(Problem::new(
            &new.place,
            format!("volume {} is defined twice", new.number),
        )),
        Err(at) => {
            volumes.insert(at, new);
            Ok(())
        }
    }
}

/// Completes the volumes of a host by those of the resource, and takes what nobody else may use.
pub(crate) fn inherit(
    host: &mut Host,
    from: &[Volume],
    unique: &mut Unique,
    problems: &mut Vec<Problem>,
) {
    for source in from {
        let at = match host
            .volumes
            .binary_search_by_key(&source.number, |volume| volume.number)
        {
            Ok(at) => at,
            Err(at) => {
                host.volumes.insert(
                    at,
                    Volume {
                        options: Vec::new(),
                        device: None,
                        minor: None,
                        disk: None,
                        meta: None,
                        ..source.clone()
                    },
                );
                at
            }
        };
        let Some(volume) = host.volumes.get_mut(at) else {
            continue;
        };
        volume.disk = volume.disk.take().or_else(|| source.disk.clone());
        if volume.minor.is_none() {
            volume.minor = source.minor;
            volume.device = volume.device.take().or_else(|| source.device.clone());
        }
        volume.meta = volume.meta.take().or_else(|| source.meta.clone());
    }
    for volume in &host.volumes {
        for name in &host.names {
            let place = &volume.place;
            let mut take = |what: &str, value: Option<String>| {
                let Some(value) = value else { return };
                let taken = unique.take(what, &format!("{name}:{value}"), place);
                problems.extend(taken.err());
            };
            take("minor", volume.minor.map(|minor| minor.to_string()));
            take("disk", volume.disk.clone());
            take(
                "meta-disk",
                match &volume.meta {
                    Some(Meta::Flexible(path)) => Some(path.clone()),
                    Some(Meta::Indexed(path, index)) => Some(format!("{path}[{index}]")),
                    Some(Meta::Internal) | None => None,
                },
            );
        }
    }
}
