// SPDX-License-Identifier: GPL-2.0

//! The administrator and what he says.

use tandem_engine::engine::meta::activity_log::{ActivityLog, LogSlot};
use tandem_engine::engine::meta::activity_log_size::LogMemory;
use tandem_engine::engine::resource::{Admin, Disk as EngineDisk, Event, SizeWish, Token};
use tandem_engine::engine::state::DiskState;
use tandem_engine::engine::volume::DiskTables;
use tandem_engine::engine::wire::state::QueueLimits;

use crate::disk::{geometry, RING};
use crate::event::What;
use crate::world::World;
use crate::Heap;

/// Memory for an activity log of so many slots.
pub(crate) fn log_memory(slots: usize) -> LogMemory<Heap> {
    (vec![LogSlot::default(); slots], vec![0; slots])
}

impl World {
    /// Gives a command; returns its token.
    pub fn admin(&mut self, n: usize, command: Admin) -> Token {
        self.nodes[n].token += 1;
        let token = Token(self.nodes[n].token);
        self.nodes[n].commands.push((token, self.now));
        self.post(n, Event::Admin(token, command), false);
        self.after(n, 3000, What::GiveUp(token));
        token
    }

    pub(crate) fn give_up(&mut self, n: usize, token: Token) {
        if self.answer(n, token).is_none() {
            self.post(n, Event::GiveUp(token), false);
        }
    }

    /// The number that a command was answered with.
    pub fn answer(&self, n: usize, token: Token) -> Option<i32> {
        self.nodes[n]
            .answers
            .iter()
            .find(|a| a.0 == token)
            .map(|a| a.2)
    }

    /// Attaches the disk of a node.
    pub fn attach(&mut self, n: usize) -> Token {
        let node = &mut self.nodes[n];
        if node.state().disk != DiskState::Diskless || node.vol.lower {
            node.token += 1;
            return Token(node.token);
        }
        node.vol.disk.apply_log();
        let slots = node.config.al_extents;
        let (slots, heads) = log_memory(slots);
        let log = ActivityLog::new(slots, heads, RING, 0);
        node.vol.attaching = Some(DiskTables {
            bitmap: node.vol.disk.bitmap(),
            log: log.expect("log"),
        });
        let disk = EngineDisk {
            superblock: node.vol.disk.superblock(),
            geometry: geometry(),
            laid_out_for: node.vol.lower_sizes(),
            max_capacity: node.vol.disk.sectors(),
            limits: QueueLimits::default(),
            discard: node.config.discard,
        };
        let options = node.config.disk.clone();
        self.admin(
            n,
            Admin::Attach {
                volume: self.volume,
                disk,
                options,
            },
        )
    }

    /// Configures the network of a node.
    pub fn connect(&mut self, n: usize) -> Token {
        let options = self.nodes[n].config.net.clone();
        self.admin(n, Admin::Connect { options })
    }

    /// Lets the disk of a node grow, which its engine hears when it looks.
    pub fn grow(&mut self, n: usize, sectors: u64) {
        let disk = &mut self.nodes[n].vol.disk;
        disk.show(disk.sectors() + sectors);
        self.tell(n, || format!("its disk grows by {sectors} sectors"));
    }

    /// Gives the volume another size.
    pub fn resize(&mut self, n: usize, wish: SizeWish) -> Token {
        self.admin(
            n,
            Admin::Resize {
                volume: self.volume,
                wish,
            },
        )
    }

    /// Promotes a node.
    pub fn promote(&mut self, n: usize, force: bool) -> Token {
        self.admin(
            n,
            Admin::Promote {
                volume: self.volume,
                force,
            },
        )
    }

    /// Demotes a node.
    pub fn demote(&mut self, n: usize) -> Token {
        self.nodes[n].vol.open = false;
        self.admin(
            n,
            Admin::Demote {
                volume: self.volume,
            },
        )
    }

    /// Disconnects a node.
    pub fn disconnect(&mut self, n: usize) -> Token {
        self.admin(n, Admin::Disconnect { force: false })
    }

    /// Takes the disk of a node away.
    pub fn detach(&mut self, n: usize) -> Token {
        self.admin(
            n,
            Admin::Detach {
                volume: self.volume,
                force: false,
            },
        )
    }
}
