// SPDX-License-Identifier: Apache-2.0
/** Ways for bytes to travel, by URI: tcp:, unix:, fd: and file:, each wait for a peer with a bound. */
@NullMarked
package io.vfio4j.transport;

import org.jspecify.annotations.NullMarked;
