#ifndef METROPOLIS_CPOSTGRES_H
#define METROPOLIS_CPOSTGRES_H

#include <libpq-fe.h>
/* What the Glibc module leaves out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <spawn.h>

/* Declared by spawn.h under _GNU_SOURCE only, which Swift's importer does not define. */
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

#endif
