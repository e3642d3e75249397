// SPDX-License-Identifier: Apache-2.0
/**
 * The migration itself: outgoing and incoming, when to switch over, and the handover that never lets two sides run the
 * device.
 */
@NullMarked
package io.vfio4j.migration;

import org.jspecify.annotations.NullMarked;
