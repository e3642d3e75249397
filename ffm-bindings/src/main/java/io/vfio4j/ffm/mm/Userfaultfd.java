// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm.mm;

import io.vfio4j.ffm.IoctlRequest;

/** The constants of {@code linux/userfaultfd.h} that write protection needs, under their C names. */
public final class Userfaultfd {
    /** The only version of the API, and the type of its ioctls. */
    public static final int UFFD_API = 0xAA;

    /** Agrees on what the fd does. */
    public static final long UFFDIO_API = IoctlRequest.readWrite(UFFD_API, 0x3F, UffdioApi.STRUCT.size());

    /** Puts memory under the fd. */
    public static final long UFFDIO_REGISTER = IoctlRequest.readWrite(UFFD_API, 0x00, UffdioRegister.STRUCT.size());

    /** Takes memory away from the fd. */
    public static final long UFFDIO_UNREGISTER = IoctlRequest.read(UFFD_API, 0x01, UffdioRange.STRUCT.size());

    /** Write-protects memory, or lifts it. */
    public static final long UFFDIO_WRITEPROTECT =
            IoctlRequest.readWrite(UFFD_API, 0x06, UffdioWriteprotect.STRUCT.size());

    /** Flag of the fd: only faults of user space are handled, for which no privilege is needed. */
    public static final int UFFD_USER_MODE_ONLY = 1;

    /** Feature: write protection. */
    public static final int UFFD_FEATURE_PAGEFAULT_FLAG_WP = 1 << 0;

    /** Feature: write protection of shared memory and hugetlbfs. Linux 5.19. */
    public static final int UFFD_FEATURE_WP_HUGETLBFS_SHMEM = 1 << 12;

    /** Feature: write protection of anonymous pages that are not there yet. Linux 6.4. */
    public static final int UFFD_FEATURE_WP_UNPOPULATED = 1 << 13;

    /** Feature: the kernel resolves a write to a protected page by itself and notes it. Linux 6.7. */
    public static final int UFFD_FEATURE_WP_ASYNC = 1 << 15;

    /** Faults on pages that are missing are handled. */
    public static final int UFFDIO_REGISTER_MODE_MISSING = 1 << 0;

    /** Writes to protected pages are handled. */
    public static final int UFFDIO_REGISTER_MODE_WP = 1 << 1;

    /** Protects; without it, lifts the protection. */
    public static final int UFFDIO_WRITEPROTECT_MODE_WP = 1 << 0;

    /** Does not wake those who wait for a page. */
    public static final int UFFDIO_WRITEPROTECT_MODE_DONTWAKE = 1 << 1;

    private Userfaultfd() {}
}
