// SPDX-License-Identifier: Apache-2.0
/**
 * Sockets, what sending without a copy needs of them: constants in {@link io.vfio4j.ffm.net.Sockets}, calls in
 * {@link io.vfio4j.ffm.net.SocketFd}, and the completions of such sends from a socket's error queue.
 */
@NullMarked
package io.vfio4j.ffm.net;

import org.jspecify.annotations.NullMarked;
