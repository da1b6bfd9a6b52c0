/* What ackcheck knows of the files of its threads: the log of operations and acknowledgements, and
 * the model that follows from it. tests/tools/ackcheck.c tells what for. */
#ifndef PFS_TESTS_LIB_ACK_MODEL_H
#define PFS_TESTS_LIB_ACK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    THREADS = 6,
    NAMES = 16, /* half of them in a/, half in b/ */
    UNIT = 64,
    BLOCK = 8192,
    ACK_PAGE = 4096, /* of memory */
    MAX_SIZE = 256 << 10,
    MAX_UNITS = MAX_SIZE / UNIT,
};

#define BAD_UNIT UINT32_MAX /* neither zeros nor written by any operation for this place */

enum note_type { NOTE_BEGIN = 'B', NOTE_ACK = 'A', NOTE_FAILED = 'F', NOTE_SETTLED = 'S' };
enum op_type { OP_CREATE = 1, OP_WRITE, OP_APPEND, OP_TRUNCATE, OP_UNLINK, OP_RENAME, OP_LINK };

extern const char *const ack_op_names[];

/* A line of LOG. */
struct note {
    uint8_t type, op;
    uint16_t thread;
    uint32_t k; /* number of the operation, from 1, never used again */
    uint32_t name, to;
    uint32_t off, len; /* a settled one's: how much of the operation is there, 0: all */
};

struct file {
    int links;
    uint32_t size;
    uint32_t last_op;
    uint32_t unit[MAX_UNITS]; /* which operation wrote it; 0 are zeros, as is all past the end */
};

/* The files of one thread, as they must be. */
struct model {
    int name[NAMES]; /* -1: is not there */
    struct file files[NAMES];
    uint32_t settled, acked, last; /* numbers of operations */
    struct note *pending;          /* those behind the settled one */
    size_t pending_count, pending_room;
};

/* Load what the log holds and open it to append; prints why and exits with 2 if it can't. */
struct ack_log {
    int fd;
    struct model *models[THREADS];
};
void ack_log_open(struct ack_log *log, const char *path);
void ack_log_close(struct ack_log *log);
void ack_log_write(const struct ack_log *log, const struct note *n);

/* The file of that name, or NULL; and the model after one more operation. */
struct file *ack_file(struct model *m, uint32_t name);
void ack_apply(struct model *m, const struct note *op);

/* What operation k of the thread writes into the 64 bytes number `index` of a file; and which
 * operation wrote what is there: 0 for zeros, BAD_UNIT for none. */
void ack_fill(unsigned char *at, uint32_t thread, uint32_t k, uint32_t index);
uint32_t ack_writer_of(const unsigned char *at, uint32_t thread, uint32_t index);

/* Where the thread has that name, below the directory of all. */
void ack_name(char *out, size_t size, uint32_t thread, uint32_t name);

uint64_t ack_mix(uint64_t x);
_Noreturn void ack_die(const char *what);

/* Is it one request to the filesystem, and so there as a whole or not at all? The kernel divides
 * other writes at boundaries of pages. */
static inline bool ack_is_atomic(const struct note *op)
{
    return (op->op != OP_WRITE && op->op != OP_APPEND) ||
           (op->off % ACK_PAGE == 0 && op->len % ACK_PAGE == 0);
}

/* Compare what stands below dir_fd with the log, tell all differences, and note in the log what
 * was found. Returns whether all is well. log_path: to read it once more. */
bool ack_verify(struct ack_log *log, const char *log_path, int dir_fd);

#endif
