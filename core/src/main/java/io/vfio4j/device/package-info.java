// SPDX-License-Identifier: Apache-2.0
/**
 * A VFIO device with its migration states: opening it, the arcs between states, and the sessions that read or write its
 * state. Knows only the bindings.
 */
@NullMarked
package io.vfio4j.device;

import org.jspecify.annotations.NullMarked;
