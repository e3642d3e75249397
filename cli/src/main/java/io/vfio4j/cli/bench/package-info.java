// SPDX-License-Identifier: Apache-2.0
/**
 * Measures a device, by driver calls alone and with an injected clock: its arcs, copies of its state, its dirty rate.
 * What a device held is left as it was; what a peer held is lost.
 */
@NullMarked
package io.vfio4j.cli.bench;

import org.jspecify.annotations.NullMarked;
