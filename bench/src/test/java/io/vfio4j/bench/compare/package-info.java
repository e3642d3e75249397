// SPDX-License-Identifier: Apache-2.0
/** Tests of the arithmetic and the reports behind {@code bench/compare}; the runs themselves need the lab. */
@NullMarked
package io.vfio4j.bench.compare;

import org.jspecify.annotations.NullMarked;
