// SPDX-License-Identifier: Apache-2.0
/**
 * {@code linux/vfio.h}: constants in {@link io.vfio4j.ffm.vfio.Vfio}, one class per struct, and one type per kind of
 * file descriptor.
 *
 * <p>Three ioctl numbers mean different things on a container and on a device. The ioctls are methods of the type of fd
 * that understands them, so that sending one to the wrong fd does not compile.
 */
@NullMarked
package io.vfio4j.ffm.vfio;

import org.jspecify.annotations.NullMarked;
