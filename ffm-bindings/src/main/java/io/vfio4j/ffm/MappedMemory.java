// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Gives memory that {@code mmap(2)} returned an owner: it is unmapped when its arena closes. */
public final class MappedMemory {
    private MappedMemory() {}

    /**
     * Maps memory for as long as an arena lives.
     *
     * @param libc the system calls
     * @param length how many bytes, &gt; 0
     * @param flags {@code MAP_*}
     * @param fd the file, or -1 with {@code MAP_ANONYMOUS}
     * @param arena the owner; closing it unmaps
     * @return the readable and writable memory
     * @throws OutOfMemoryError when the kernel refuses; the message names the errno
     */
    public static MemorySegment map(LibC libc, long length, int flags, int fd, Arena arena) {
        return map(libc, length, flags, fd, 0, arena);
    }

    /**
     * Maps a part of a file for as long as an arena lives, such as what a vCPU shares.
     *
     * @param libc the system calls
     * @param length how many bytes, &gt; 0
     * @param flags {@code MAP_*}
     * @param fd the file
     * @param offset where in the file
     * @param arena the owner; closing it unmaps
     * @return the readable and writable memory
     * @throws OutOfMemoryError when the kernel refuses; the message names the errno
     */
    // SAFETY: the address and length are those of the mapping that this call made and nobody else knows, and the
    // cleanup is the only one to unmap it.
    @SuppressWarnings("restricted")
    public static MemorySegment map(LibC libc, long length, int flags, int fd, long offset, Arena arena) {
        long address = libc.mmap(length, LibC.PROT_READ | LibC.PROT_WRITE, flags, fd, offset);
        if (address < 0) {
            throw new OutOfMemoryError("mmap of " + length + " bytes failed: " + Errno.describe(address));
        }
        return MemorySegment.ofAddress(address).reinterpret(length, arena, segment -> libc.munmap(address, length));
    }
}
