// SPDX-License-Identifier: Apache-2.0
/**
 * Which pages of its own memory this process has written: {@code linux/userfaultfd.h} for asynchronous write
 * protection, and {@code PAGEMAP_SCAN} of {@code linux/fs.h} to find and protect what was written. Linux 6.7.
 *
 * <p>Constants are in {@link io.vfio4j.ffm.mm.Userfaultfd} and {@link io.vfio4j.ffm.mm.Pagemap}, and there is one type
 * per kind of file descriptor.
 */
@NullMarked
package io.vfio4j.ffm.mm;

import org.jspecify.annotations.NullMarked;
