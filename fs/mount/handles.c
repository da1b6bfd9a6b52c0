#include "fs/mount/handles.h"

#include <assert.h>
#include <stdlib.h>

void pfs_handles_init(struct pfs_handles *h)
{
    pthread_mutex_init(&h->mu, NULL);
    h->head.next = h->head.prev = &h->head;
}

struct pfs_open *pfs_open_new(void)
{
    return calloc(1, sizeof(struct pfs_open));
}

void pfs_open_free(struct pfs_open *open)
{
    assert(!open->next);
    free(open);
}

void pfs_handles_add(struct pfs_handles *h, struct pfs_open *open, struct pfs_tree *tree,
                     struct pfs_handle *handle)
{
    open->tree = tree;
    open->handle = handle;
    pthread_mutex_lock(&h->mu);
    open->next = h->head.next;
    open->prev = &h->head;
    open->next->prev = open;
    h->head.next = open;
    pthread_mutex_unlock(&h->mu);
}

void pfs_handles_close(struct pfs_handles *h, struct pfs_open *open)
{
    pthread_mutex_lock(&h->mu);
    open->prev->next = open->next;
    open->next->prev = open->prev;
    pthread_mutex_unlock(&h->mu);
    pfs_tree_release(open->tree, open->handle);
    free(open);
}

unsigned pfs_handles_release(struct pfs_handles *h)
{
    unsigned n = 0;

    for (; h->head.next != &h->head; n++)
        pfs_handles_close(h, h->head.next);
    pthread_mutex_destroy(&h->mu);
    return n;
}
