// SPDX-License-Identifier: Apache-2.0
// Prints what the C compiler makes of the C library's structs and constants that the bindings use, in the format of
// uapi-values.tsv. libc-values.sh compiles and runs it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TYPE(x)                                                                                                        \
    _Generic((x),                                                                                                      \
        unsigned char: "u8",                                                                                           \
        unsigned short: "u16",                                                                                         \
        short: "i16",                                                                                                  \
        unsigned int: "u32",                                                                                           \
        int: "i32",                                                                                                    \
        unsigned long: "u64",                                                                                          \
        long: "i64",                                                                                                   \
        default: "other")

#define STRUCT(s) printf("struct\t%s\tsize=%zu\talign=%zu\n", #s, sizeof(struct s), _Alignof(struct s))
#define FIELD(s, f)                                                                                                    \
    printf("field\t%s.%s\toffset=%zu\tsize=%zu\ttype=%s\n", #s, #f, offsetof(struct s, f),                             \
           sizeof(((struct s *)0)->f), TYPE(((struct s *)0)->f))
#define FLEXIBLE(s, f)                                                                                                 \
    printf("field\t%s.%s\toffset=%zu\tflexible-array elem-size=%zu\n", #s, #f, offsetof(struct s, f),                  \
           sizeof(((struct s *)0)->f[0]))
#define VALUE(v) printf("value\t%s\t%lld\t0x%llx\n", #v, (long long)(v), (unsigned long long)(v))

int main(void) {
    puts("# structs");
    STRUCT(iovec);
    FIELD(iovec, iov_base);
    FIELD(iovec, iov_len);
    STRUCT(pollfd);
    FIELD(pollfd, fd);
    FIELD(pollfd, events);
    FIELD(pollfd, revents);
    STRUCT(msghdr);
    FIELD(msghdr, msg_name);
    FIELD(msghdr, msg_namelen);
    FIELD(msghdr, msg_iov);
    FIELD(msghdr, msg_iovlen);
    FIELD(msghdr, msg_control);
    FIELD(msghdr, msg_controllen);
    FIELD(msghdr, msg_flags);
    STRUCT(cmsghdr);
    FIELD(cmsghdr, cmsg_len);
    FIELD(cmsghdr, cmsg_level);
    FIELD(cmsghdr, cmsg_type);
    FLEXIBLE(cmsghdr, __cmsg_data);

    puts("# constants");
    VALUE(O_RDONLY);
    VALUE(O_WRONLY);
    VALUE(O_RDWR);
    VALUE(O_CREAT);
    VALUE(O_EXCL);
    VALUE(O_TRUNC);
    VALUE(O_APPEND);
    VALUE(O_NONBLOCK);
    VALUE(O_DIRECT);
    VALUE(O_CLOEXEC);
    VALUE(F_DUPFD_CLOEXEC);
    VALUE(PROT_READ);
    VALUE(PROT_WRITE);
    VALUE(MAP_SHARED);
    VALUE(MAP_PRIVATE);
    VALUE(MAP_ANONYMOUS);
    VALUE(MAP_HUGETLB);
    VALUE(MAP_POPULATE);
    VALUE(MADV_HUGEPAGE);
    VALUE(MADV_POPULATE_READ);
    VALUE(MADV_POPULATE_WRITE);
    VALUE(MFD_CLOEXEC);
    VALUE(MFD_ALLOW_SEALING);
    VALUE(MFD_HUGETLB);
    VALUE(EFD_CLOEXEC);
    VALUE(EFD_NONBLOCK);
    VALUE(POLLIN);
    VALUE(POLLOUT);
    VALUE(POLLERR);
    VALUE(POLLHUP);
    VALUE(POLLNVAL);
    VALUE(AF_UNIX);
    VALUE(SOCK_STREAM);
    VALUE(SOCK_SEQPACKET);
    VALUE(SOCK_CLOEXEC);
    VALUE(SOCK_NONBLOCK);
    VALUE(SOL_SOCKET);
    VALUE(SCM_RIGHTS);
    VALUE(MSG_CMSG_CLOEXEC);
    VALUE(MSG_NOSIGNAL);
    VALUE(MSG_DONTWAIT);

    puts("# errno");
    VALUE(EPERM);
    VALUE(ENOENT);
    VALUE(EINTR);
    VALUE(EIO);
    VALUE(ENXIO);
    VALUE(E2BIG);
    VALUE(EBADF);
    VALUE(EAGAIN);
    VALUE(ENOMEM);
    VALUE(EACCES);
    VALUE(EFAULT);
    VALUE(EBUSY);
    VALUE(EEXIST);
    VALUE(ENODEV);
    VALUE(ENOTDIR);
    VALUE(EISDIR);
    VALUE(EINVAL);
    VALUE(ENFILE);
    VALUE(EMFILE);
    VALUE(ENOTTY);
    VALUE(EFBIG);
    VALUE(ENOSPC);
    VALUE(ESPIPE);
    VALUE(EROFS);
    VALUE(EPIPE);
    VALUE(ENOSYS);
    VALUE(ENOMSG);
    VALUE(EOVERFLOW);
    VALUE(EBADFD);
    VALUE(EMSGSIZE);
    VALUE(EOPNOTSUPP);
    VALUE(ECONNRESET);
    VALUE(ENOBUFS);
    VALUE(ETIMEDOUT);
    VALUE(ECONNREFUSED);
    return 0;
}
