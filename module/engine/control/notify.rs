// SPDX-License-Identifier: GPL-2.0

//! Kinds of events on the multicast group.

/// What happened to the object of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationType {
    /// It is there; part of the initial state.
    Exists,
    /// It was created.
    Create,
    /// It changed.
    Change,
    /// It is gone.
    Destroy,
    /// A handler is called.
    Call,
    /// A handler came back.
    Response,
}

impl NotificationType {
    /// The number on netlink.
    pub fn number(self) -> u32 {
        match self {
            NotificationType::Exists => 0,
            NotificationType::Create => 1,
            NotificationType::Change => 2,
            NotificationType::Destroy => 3,
            NotificationType::Call => 4,
            NotificationType::Response => 5,
        }
    }

    /// The type with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(NotificationType::Exists),
            1 => Some(NotificationType::Create),
            2 => Some(NotificationType::Change),
            3 => Some(NotificationType::Destroy),
            4 => Some(NotificationType::Call),
            5 => Some(NotificationType::Response),
            _ => None,
        }
    }

    /// The word that `events2` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            NotificationType::Exists => "exists",
            NotificationType::Create => "create",
            NotificationType::Change => "change",
            NotificationType::Destroy => "destroy",
            NotificationType::Call => "call",
            NotificationType::Response => "response",
        }
    }
}

/// The number in a notification header: a type, and whether more of the same change follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What happened.
    pub kind: NotificationType,
    /// More messages about the same change follow; listeners should judge after the last.
    pub continues: bool,
}

impl Notification {
    /// The flag for `continues`.
    const CONTINUES: u32 = 0x8000;

    /// The number on netlink.
    pub fn number(self) -> u32 {
        self.kind.number() | if self.continues { Self::CONTINUES } else { 0 }
    }

    /// Takes a number apart; `None` for an unknown type.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(Self {
            kind: NotificationType::from_number(number & !Self::CONTINUES)?,
            continues: number & Self::CONTINUES != 0,
        })
    }
}
