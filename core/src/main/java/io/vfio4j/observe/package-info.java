// SPDX-License-Identifier: Apache-2.0
/**
 * What a migration tells while it runs and when it has ended: phases, progress, the report with the downtime's parts.
 * Knows nothing else.
 */
@NullMarked
package io.vfio4j.observe;

import org.jspecify.annotations.NullMarked;
