/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C side of module/sys: inlines, macros and fields of structs that the kernel's
 * Rust bindings leave out. No logic: every function is one expression of the
 * kernel's own API. The Rust declarations are in shim.rs; keep both in step.
 */
#ifndef TANDEM_SHIM_H
#define TANDEM_SHIM_H

#include <linux/blkdev.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/proc_fs.h>
#include <linux/wait.h>
#include <net/genetlink.h>

struct crypto_shash;

/* Module parameters, defined with their permissions in shim.c. */
extern unsigned int tandem_minor_count;
extern bool tandem_disable_sendpage;
extern bool tandem_allow_oos;
extern int tandem_proc_details;
extern int tandem_enable_faults;
extern int tandem_fault_rate;
extern int tandem_fault_count;
extern int tandem_fault_devs;
void tandem_usermode_helper(char *to, size_t size);

/* Flags of allocations that must not start I/O. */
extern const gfp_t tandem_gfp_noio;

/* Pages */
struct page *tandem_alloc_page(bool may_sleep);
void *tandem_page_address(struct page *page);
int tandem_page_count(struct page *page);
bool tandem_sendpage_ok(struct page *page);

/* Block layer */
struct queue_limits tandem_limits_start(struct request_queue *q);
struct queue_limits *tandem_bdev_limits(struct block_device *bdev);
bool tandem_bdev_read_only(struct block_device *bdev);
bool tandem_bdev_rotational(struct block_device *bdev);
u64 tandem_bdev_sectors_done(struct block_device *bdev);
const char *tandem_disk_name(struct block_device *bdev);
int tandem_bdev_partno(struct block_device *bdev);
void tandem_bio_inc_remaining(struct bio *bio);
void tandem_bio_end_acct(struct bio *bio, unsigned long start);

/* Sockets */
void tandem_sk_set_rcv_timeout(struct socket *sock, long timeout);
void tandem_sk_set_snd_timeout(struct socket *sock, long timeout);
void tandem_sk_set_buffers(struct socket *sock, int snd, int rcv);
void tandem_sk_set_io(struct socket *sock, u32 priority);
void tandem_sk_set_memalloc(struct socket *sock, bool on);
void tandem_sk_set_nodelay(struct socket *sock);
void tandem_sk_set_cork(struct socket *sock, bool on);
int tandem_sk_room(struct socket *sock);
void tandem_sk_set_reuseaddr(struct socket *sock);
void tandem_sk_set_keepalive(struct socket *sock, int idle, int interval, int count);
int tandem_sk_queued(struct socket *sock);
int tandem_sk_sndbuf(struct socket *sock);
unsigned int tandem_sk_unread(struct socket *sock);
unsigned int tandem_sk_unacked(struct socket *sock);
bool tandem_sk_established(struct socket *sock);

/* Netlink */
extern const struct nla_policy tandem_genl_no_policy[1];
void *tandem_skb_end(struct sk_buff *skb);
void tandem_skb_cut(struct sk_buff *skb, void *mark);
void tandem_genl_end(struct sk_buff *skb, void *header);
void tandem_genl_cancel(struct sk_buff *skb, void *header);
void *tandem_genl_put_multi(struct sk_buff *skb, struct netlink_callback *cb,
			    const struct genl_family *family, u8 cmd);
int tandem_genl_reply(struct sk_buff *skb, struct genl_info *info);
const struct genl_info *tandem_genl_dump_info(struct netlink_callback *cb);
void tandem_genl_flags(struct genl_family *family, bool netnsok, bool parallel);

/* Tasks */
u64 tandem_jiffies_ms(void);
unsigned int tandem_ms_since(unsigned long start);
unsigned long tandem_ms_to_jiffies(unsigned int ms);
void tandem_thread_priority(bool fifo_low);
void tandem_thread_batch(void);
int tandem_thread_cpus(struct task_struct *task, u64 low, u64 high);
unsigned long tandem_stack_left(void);
struct task_struct *tandem_current(void);
bool tandem_is_current(struct task_struct *task);
bool tandem_fatal_signal(void);
bool tandem_may_sleep(void);
unsigned int tandem_no_io_save(void);
void tandem_no_io_restore(unsigned int former);

/* Hashes */
void tandem_shash_free(struct crypto_shash *tfm);
unsigned int tandem_shash_desc_size(struct crypto_shash *tfm);
unsigned int tandem_shash_digest_size(struct crypto_shash *tfm);
int tandem_shash_init(void *desc, struct crypto_shash *tfm);
int tandem_shash_update(void *desc, const u8 *data, unsigned int len);
int tandem_shash_final(void *desc, u8 *out);

#endif
