// SPDX-License-Identifier: Apache-2.0
/** The wire format: frames and messages, their checks and limits. No I/O. */
@NullMarked
package io.vfio4j.stream;

import org.jspecify.annotations.NullMarked;
